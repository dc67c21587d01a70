"""Pictures in the page are made smaller as Pillow does it, to the bit."""

import json
import shutil
import subprocess
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

NODE = shutil.which("node")
RESIZE = """
import { resized } from "./resize.mjs";
import { readFileSync } from "node:fs";
for (const { file, from, to, filter } of JSON.parse(readFileSync("cases.json"))) {
  const picture = { width: from[0], height: from[1], data: readFileSync(file) };
  console.log(Buffer.from(resized(picture, ...to, filter)).toString("hex"));
}
"""
CASES = [
    ((256, 191), (128, 128), 3),
    ((31, 90), (64, 64), 3),
    ((128, 40), (128, 64), 3),
    ((50, 20), (32, 32), 2),
    ((32, 32), (32, 32), 3),
    ((90, 120), (80, 64), 3),
]


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_pages_pixels_are_pillows(tmp_path):
    random = np.random.default_rng(0)
    said, wanted = [], []
    for number, (size, target, resample) in enumerate(CASES):
        # Black beside white makes the kernel overshoot on both sides.
        pixels = random.choice([0, 0, 90, 255, 255], (size[1], size[0], 4)).astype(np.uint8)
        (tmp_path / str(number)).write_bytes(pixels.tobytes())
        picture = Image.fromarray(pixels[..., :3].copy())
        wanted.append(picture.resize(target, Image.Resampling(resample)).tobytes().hex())
        said.append({"file": str(number), "from": size, "to": target, "filter": resample})
    (tmp_path / "cases.json").write_text(json.dumps(said), encoding="utf-8")
    (tmp_path / "resize.mjs").write_bytes((files("trainer.export.web") / "resize.js").read_bytes())
    (tmp_path / "cases.mjs").write_text(RESIZE, encoding="utf-8")
    process = subprocess.run(
        [NODE, "cases.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert process.stdout.split() == wanted
