#!/usr/bin/env bash
# safetensors 0.8.0: the mode of the files that save_file writes.
#
# Expected: 0666 less the umask, as of every file that open() makes, and as np.savez and pyarrow do;
#   a file that is written over keeps its mode, and a link its target.
# Seen: 0600 whatever the umask: a model folder whose config others can read and whose weights they
#   cannot, which loaders tell as a missing file. Over a file of 0644 it is 0600 afterwards, and a
#   link is replaced by a file, its target left as it was. (Reported as safetensors issue 782.)
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  'safetensors==0.8.0' 'numpy==2.4.6' 'pyarrow==26.0.1'

cat >"$folder/save.py" <<'PY'
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from safetensors.numpy import save_file
zeros = np.zeros(3, np.float32)
kind, path = sys.argv[1:]
if kind == "safetensors":
    save_file({"x": zeros}, path)
elif kind == "numpy":
    np.savez(path, x=zeros)
else:
    pq.write_table(pa.table({"x": zeros}), path)
PY
mode_of() { # kind, umask
  (umask "$2" && "$folder/venv/bin/python" "$folder/save.py" "$1" "$folder/$1-$2.npz")
  stat -c %a "$folder/$1-$2.npz"
}
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

expect "numpy, umask 022" 644 "$(mode_of numpy 022)"
expect "pyarrow, umask 022" 644 "$(mode_of pyarrow 022)"
expect "safetensors, umask 022" 600 "$(mode_of safetensors 022)"
expect "numpy, umask 002" 664 "$(mode_of numpy 002)"
expect "safetensors, umask 002" 600 "$(mode_of safetensors 002)"
touch "$folder/target"
chmod 644 "$folder/target"
ln -s "$folder/target" "$folder/link"
"$folder/venv/bin/python" "$folder/save.py" safetensors "$folder/link"
expect "written to a link" "regular file" "$(stat -c %F "$folder/link")"
expect "bytes in its target" 0 "$(stat -c %s "$folder/target")"
"$folder/venv/bin/python" "$folder/save.py" safetensors "$folder/target"
expect "written over a file of 644" 600 "$(stat -c %a "$folder/target")"
