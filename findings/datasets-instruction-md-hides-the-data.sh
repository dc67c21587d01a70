#!/usr/bin/env bash
# datasets 5.1.0 and 5.2.0: a data set folder in which people also find how the answers are judged.
#
# Expected: `instruction.md` beside `pairs.jsonl` is passed over, as README.md is and as versions up
#   to 5.0.0 do; if it is not, the error says which file is in the way.
# Seen: since 5.1.0 a file of that name, or `task.toml`, at any depth makes the whole folder one of
#   Harbor tasks. Alone it ends with "No task.toml or instruction.md files found", though there is
#   one. With both, the pairs are passed over without a word: there is no split `train`, and `test`
#   has one row, the instruction. A card whose head names the data files is followed, as before.
#
# Fails if one of these changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }

cat >"$folder/load.py" <<'PY'
import sys
import tempfile
from pathlib import Path

import datasets

datasets.disable_progress_bars()
CARD = "---\nconfigs:\n- config_name: default\n  data_files: pairs.jsonl\n---\n"
TASK = 'version = "1.0"\n'


def loaded(**others):
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
    (folder / "pairs.jsonl").write_text('{"question": "color", "answer": "red"}\n' * 3)
    (folder / "rules").mkdir()
    for name, text in others.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)
    try:
        splits = datasets.load_dataset(str(folder), cache_dir=str(folder / "cache"))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[-1]}"
    return " ".join(f"{name} {len(rows)}" for name, rows in splits.items())


print("pairs alone:", loaded())
print("instruction.md:", loaded(instruction_md="Say what you see.\n"))
print("below:", loaded(rules__instruction_md="Say what you see.\n"))
print("with task.toml:", loaded(instruction_md="Say what you see.\n", task_toml=TASK))
print("with a card:", loaded(instruction_md="Say what you see.\n", task_toml=TASK, README_md=CARD))
PY

seen() {
  pip "datasets==$1"
  HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/load.py" "$folder" 2>/dev/null
}
before="pairs alone: train 3
instruction.md: train 3
below: train 3
with task.toml: train 3
with a card: train 3"
since="pairs alone: train 3
instruction.md: DataFilesNotFoundError: No task.toml or instruction.md files found
below: DataFilesNotFoundError: No task.toml or instruction.md files found
with task.toml: test 1
with a card: train 3"
for version in 5.0.0 5.1.0 5.2.0; do
  told=$(seen "$version")
  printf 'datasets %s\n%s\n' "$version" "$told"
  wanted=$since
  [ "$version" = 5.0.0 ] && wanted=$before
  [ "$told" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
done
