#!/usr/bin/env bash
# salesforce-lavis 1.0.2, its copy of the VQA evaluation; lmms-eval 0.7.3 for comparison.
#
# Expected: an answer that all ten people gave, letter by letter, scores 100.
# Seen: 0 for "t-shirt" and "black/white": an answer always loses its punctuation, the references only
#   where two of them differ. One person of ten who says something else makes it 100. "two" scores 0
#   either way: number words become digits in the answer alone. The cleaning in lmms-eval, used there
#   on answers and references alike, makes the same forms; a figure is comparable only with one from
#   the same script.
#
# Fails if one of these changes. Both are installed without what they depend on (torch and more);
# the files that are run need the standard library alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps \
  'salesforce-lavis==1.0.2' 'lmms-eval==0.7.3'

cat >"$folder/score.py" <<'PY'
import contextlib, io, runpy, sysconfig, sys
packages = sysconfig.get_path("purelib")
evaluation = runpy.run_path(f"{packages}/lavis/common/vqa_tools/vqa_eval.py")["VQAEval"]
cleaning = runpy.run_path(f"{packages}/lmms_eval/tasks/_task_utils/vqa_eval_metric.py")
cleaner = cleaning["EvalAIAnswerProcessor"]()


class Questions:
    def __init__(self, question):
        self.qa = {1: question}

    def getQuesIds(self):
        return list(self.qa)


def score(references, answer):
    answers = [{"answer": text, "answer_id": place} for place, text in enumerate(references)]
    asked = {"answers": answers, "question_type": "what", "answer_type": "other"}
    run = evaluation(Questions(asked), Questions({"answer": answer}))
    with contextlib.redirect_stdout(io.StringIO()):
        run.evaluate()
    return run.accuracy["overall"]


said = sys.argv[1]
clean = cleaner.process_digit_article(cleaner.process_punctuation(said))
print(score([said] * 10, said), "of ten,", score([said] * 9 + ["jacket"], said), f"of nine; {clean!r}")
PY
score() { "$folder/venv/bin/python" -W ignore "$folder/score.py" "$1"; }
expect() { # what, wanted, seen
  printf '%s: %s\n' "$1" "$3"
  [ "$3" = "$2" ] || { echo "changed; was: $2" >&2; exit 1; }
}

expect "shirt" "100.0 of ten, 100.0 of nine; 'shirt'" "$(score shirt)"
expect "t-shirt" "0.0 of ten, 100.0 of nine; 't shirt'" "$(score t-shirt)"
expect "black/white" "0.0 of ten, 100.0 of nine; 'black white'" "$(score black/white)"
expect "two" "0.0 of ten, 0.0 of nine; '2'" "$(score two)"
