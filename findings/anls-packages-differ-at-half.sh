#!/usr/bin/env bash
# anls 0.0.2 and anls-star 1.0.1: an answer of which just half is right.
#
# Expected: two packages for one metric, the average normalised Levenshtein similarity of document
#   questions, give one score; ANLS* says of itself that it is ANLS wherever ANLS is defined.
# Seen: where half of the letters are wrong ("no" for "na", "1899" for "1880"), anls gives 0 and
#   anls-star 0.5. The definition (arXiv:1905.13648, equation 1) gives 0: a distance must be below
#   the threshold of 0.5. On either side of the half they agree.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'anls==0.0.2' 'anls-star==1.0.1'

cat >"$folder/score.py" <<'PY'
import warnings

from anls import anls_score
from anls_star import anls_score as anls_star_score

warnings.simplefilter("ignore")  # of its own compatibility with lists of references
for reference, answer in [("na", "no"), ("1880", "1899"), ("total", "totem"), ("total", "toxxx")]:
    plain = anls_score(prediction=answer, gold_labels=[reference])
    star = anls_star_score([reference], answer)
    print(f"{answer} for {reference}: {plain:g} and {star:g}", end="; ")
PY
seen=$("$folder/venv/bin/python" "$folder/score.py")
echo "$seen"
wanted="no for na: 0 and 0.5; 1899 for 1880: 0 and 0.5; totem for total: 0.6 and 0.6; toxxx for total: 0 and 0; "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
