#!/usr/bin/env bash
# label-studio-sdk 2.1.2: LabelInterface.validate_task on a task that has predictions.
#
# Expected: true for a task whose data and predictions fit the labelling configuration, as
#   validate_prediction and validate_task say of each alone.
# Seen: a TypeError, because validate_task calls validate_prediction without the prediction.
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'label-studio-sdk==2.1.2'

cat >"$folder/validate.py" <<'PY'
from label_studio_sdk.label_interface import LabelInterface

interface = LabelInterface(
    '<View><Image name="image" value="$image"/><Choices name="decision" toName="image">'
    '<Choice value="right"/><Choice value="wrong"/></Choices></View>'
)
task = {"data": {"image": "https://pictures.example/1.jpg"}}
prediction = {
    "model_version": "m",
    "result": [
        {"from_name": "decision", "to_name": "image", "type": "choices",
         "value": {"choices": ["right"]}}
    ],
}
print("the task alone:", interface.validate_task(task))
print("the prediction alone:", interface.validate_prediction(prediction))
try:
    print("both:", interface.validate_task({**task, "predictions": [prediction]}))
except TypeError as error:
    print("both:", type(error).__name__)
PY
seen=$("$folder/venv/bin/python" "$folder/validate.py")
printf '%s\n' "$seen"
wanted=$'the task alone: True\nthe prediction alone: True\nboth: TypeError'
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
