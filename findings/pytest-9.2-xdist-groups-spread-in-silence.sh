#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.1.1 and 9.2.0: tests of one xdist_group under --dist loadgroup.
#
# Expected: they run in one worker, as pytest-xdist documents, or something says that they cannot.
# Seen: with 9.1.1 all eight run in one worker. With 9.2.0 they are spread over both, without an
#   error or a warning: what is made once for a group is made in each worker. pytest-xdist marks a
#   group by setting an attribute that pytest 9.2.0 no longer reads.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/tests"
cat >"$folder/tests/test_group.py" <<'PY'
import time

import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(8))
def test_one_of_a_group(number):
    time.sleep(0.2)
PY
cd "$folder/tests"
seen=""
for version in 9.1.1 9.2.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check \
    "pytest==$version" pytest-xdist==3.8.0
  workers=$("$folder/$version/bin/python" -m pytest -p no:cacheprovider -W error --verbose \
    --numprocesses 2 --dist loadgroup | grep -o '^\[gw[01]\]' | sort -u | wc -l)
  seen+="$version: $workers; "
done
echo "workers with tests of the group: $seen"
wanted="9.1.1: 1; 9.2.0: 2; "
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
