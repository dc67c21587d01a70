#!/usr/bin/env bash
# statsmodels 0.15.0, mlxtend 0.25.0 and pingouin 0.7.0: McNemar's test with continuity correction.
#
# Expected: two models of which each is right alone as often are as alike as can be: p is 1, and gets
#   smaller the further the two numbers are apart.
# Seen: p is 0.48 for 1 and 1, and 1 for 1 and 2; 0.75 for 5 and 5, and 1 for 5 and 6. All three take one
#   off the distance even where it is 0, and square the -1. R's mcnemar.test corrects only where the
#   numbers differ. The correction is the default of mlxtend, of statsmodels with `exact=False`, and of
#   pingouin's column p_approx. Their exact tests give 1 in each of these cases.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  statsmodels==0.15.0 mlxtend==0.25.0 pingouin==0.7.0 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1

cat >"$folder/test.py" <<'PY'
import warnings

import numpy as np
import pandas as pd
import pingouin
from mlxtend.evaluate import mcnemar as mlxtend_mcnemar
from statsmodels.stats.contingency_tables import mcnemar

warnings.simplefilter("ignore")  # of pingouin's own imports
for alone, other in ((1, 1), (1, 2), (5, 5), (5, 6), (5, 8)):
    table = np.array([[90, alone], [other, 10]])
    rows = [(1, 1)] * 90 + [(1, 0)] * alone + [(0, 1)] * other + [(0, 0)] * 10
    by_pingouin = pingouin.chi2_mcnemar(pd.DataFrame(rows, columns=["a", "b"]), "a", "b")[1]
    corrected = (
        mcnemar(table, exact=False).pvalue,
        mlxtend_mcnemar(table)[1],
        by_pingouin["p_approx"].iloc[0],
    )
    exact = mcnemar(table, exact=True).pvalue
    print(alone, "and", other, *(f"{p:.2f}" for p in corrected), f"exact {exact:.2f}", end="; ")
PY
seen=$("$folder/venv/bin/python" -W ignore "$folder/test.py")
echo "$seen"
wanted="1 and 1 0.48 0.48 0.48 exact 1.00; 1 and 2 1.00 1.00 1.00 exact 1.00; "
wanted+="5 and 5 0.75 0.75 0.75 exact 1.00; 5 and 6 1.00 1.00 1.00 exact 1.00; "
wanted+="5 and 8 0.58 0.58 0.58 exact 0.58; "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
