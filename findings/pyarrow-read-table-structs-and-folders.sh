#!/usr/bin/env bash
# pyarrow 26.0.1: pq.read_table and pq.ParquetFile.read on the same file.
#
# Expected: the same table from both, for the same columns; the same from a path and from a list of
#   that one path.
# Seen: columns=["image.path"] is a struct `image` with one field from ParquetFile.read, and a column
#   `path` of the top level from read_table; beside a column `path` of the file's own, one of the two
#   is missing without a word. Below a folder `split=train`, read_table(path) is as the file is, and
#   read_table([path]) has a column `split` more (partitioning=None turns that off).
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pyarrow==26.0.1'
mkdir "$folder/split=train"

cat >"$folder/read.py" <<'PY'
import sys
import pyarrow as pa, pyarrow.parquet as pq
case, folder = sys.argv[1:]
plain, below = f"{folder}/rows.parquet", f"{folder}/split=train/rows.parquet"
image = {"bytes": b"picture", "path": "a.jpg"}
for path in (plain, below):
    pq.write_table(pa.table({"image": [image], "path": ["a row's own"]}), path)
if case == "file":
    print(pq.ParquetFile(plain).read(columns=["image.path", "path"]).to_pylist())
elif case == "table":
    print(pq.read_table(plain, columns=["image.path"]).to_pylist())
elif case == "both":
    print(pq.read_table(plain, columns=["image.path", "path"]).to_pylist())
elif case == "below":
    print(pq.read_table(below).column_names)
elif case == "below, listed":
    print(pq.read_table([below]).column_names)
else:
    print(pq.read_table([below], partitioning=None).column_names)
PY
read_as() { "$folder/venv/bin/python" "$folder/read.py" "$1" "$folder"; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

expect "ParquetFile, image.path and path" "[{'image': {'path': 'a.jpg'}, 'path': \"a row's own\"}]" "$(read_as file)"
expect "read_table, image.path" "[{'path': 'a.jpg'}]" "$(read_as table)"
expect "read_table, image.path and path" "[{'path': \"a row's own\"}]" "$(read_as both)"
expect "read_table, a path below split=train" "['image', 'path']" "$(read_as below)"
expect "read_table, a list of that path" "['image', 'path', 'split']" "$(read_as "below, listed")"
expect "the same without partitioning" "['image', 'path']" "$(read_as "below, listed, off")"
