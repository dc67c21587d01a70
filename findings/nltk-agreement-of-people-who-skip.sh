#!/usr/bin/env bash
# nltk 3.10.4, AnnotationTask: agreement of two people of whom one has not judged everything.
#
# Expected: kappa, pi, S and avg_Ao are those of the items that both have judged, or an error that
#   names the item and the person; alpha, which is made for missing values, counts what is there.
# Seen: with one judgement missing of twelve, alpha is a number and the five others end with
#   "RuntimeError: generator raised StopIteration", which names neither.
#
# Fails if that changes. The judgements are made up.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'nltk==3.10.4'

cat >"$folder/agree.py" <<'PY'
import sys

from nltk.metrics.agreement import AnnotationTask

judged = [(who, f"pair {n}", "right" if n % 2 else "wrong") for who in "ab" for n in range(6)]
if sys.argv[1] == "missing":
    judged.pop()
task = AnnotationTask(data=judged)
for name in ("avg_Ao", "S", "pi", "kappa", "multi_kappa", "alpha"):
    try:
        print(name, f"{getattr(task, name)():.2f}", end="; ")
    except Exception as error:
        print(name, f"{type(error).__name__}: {error}", end="; ")
PY
expect() { # which judgements, wanted
  seen=$("$folder/venv/bin/python" "$folder/agree.py" "$1")
  printf '%s: %s\n' "$1" "$seen"
  [ "$seen" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

stops="RuntimeError: generator raised StopIteration"
expect all "avg_Ao 1.00; S 1.00; pi 1.00; kappa 1.00; multi_kappa 1.00; alpha 1.00; "
expect missing "avg_Ao $stops; S $stops; pi $stops; kappa $stops; multi_kappa $stops; alpha 1.00; "
