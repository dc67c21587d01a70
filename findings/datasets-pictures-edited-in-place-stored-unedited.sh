#!/usr/bin/env bash
# datasets 5.2.0 and Pillow 13.0.0: pictures that were edited in place.
#
# Expected: a picture that was made smaller (`thumbnail`) or drawn on (`ImageDraw`) is stored as it is
#   now, by `map` and by `Dataset.from_list`.
# Seen: where it was opened from a file, the file as it was is stored, without a word: after `map` the
#   pictures are as large as before, and a box that was drawn into them is gone. An image knows its
#   `filename` still after an edit, and datasets then keeps the path. Where the same picture lies within
#   the data set as bytes, as in one from a hub, the same function does what it says; so do methods
#   that return another image (`resize`).
#
# Fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  datasets==5.2.0 pillow==13.0.0 pyarrow==26.0.1 numpy==2.4.6

cat >"$folder/edit.py" <<'PY'
import sys
from pathlib import Path

from datasets import Dataset, Image, disable_progress_bars
from PIL import Image as Pictures
from PIL import ImageDraw

disable_progress_bars()
path = Path(sys.argv[1]) / "shoe.png"
Pictures.new("RGB", (400, 300), "white").save(path)


def smaller(row):
    row["image"].thumbnail((40, 40))
    return row


def boxed(row):
    ImageDraw.Draw(row["image"]).rectangle((0, 0, 399, 299), fill="red")
    return row


def resized(row):
    return {"image": row["image"].resize((40, 30))}


def told(picture):
    return f"{picture.width} x {picture.height}, first pixel {picture.getpixel((0, 0))}"


stored = {"file": {"path": str(path), "bytes": None}}
stored["bytes"] = {"path": "shoe.png", "bytes": path.read_bytes()}
for kind, value in stored.items():
    rows = Dataset.from_dict({"image": [value]}).cast_column("image", Image())
    for edit in (smaller, boxed, resized):
        print(f"{edit.__name__}, from {kind}: {told(rows.map(edit)[0]['image'])}")
opened = Pictures.open(path)
opened.thumbnail((40, 40))
again = Dataset.from_list([{"image": opened}])[0]["image"]
print(f"from_list of {opened.width} x {opened.height}: {told(again)}")
PY
seen=$(HF_HOME="$folder/cache" "$folder/venv/bin/python" "$folder/edit.py" "$folder")
echo "$seen"
wanted="smaller, from file: 400 x 300, first pixel (255, 255, 255)
boxed, from file: 400 x 300, first pixel (255, 255, 255)
resized, from file: 40 x 30, first pixel (255, 255, 255)
smaller, from bytes: 40 x 30, first pixel (255, 255, 255)
boxed, from bytes: 400 x 300, first pixel (255, 0, 0)
resized, from bytes: 40 x 30, first pixel (255, 255, 255)
from_list of 40 x 30: 400 x 300, first pixel (255, 255, 255)"
[ "$seen" = "$wanted" ] || { echo "changed; was: $wanted" >&2; exit 1; }
