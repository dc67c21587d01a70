"""Every way to damage a manifest by hand: each value left out, and put in the place of others."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from evaluator.answering.bundle import BundleAnswerer
from shared.errors import InputError
from shared.onnx_vqa import MANIFEST

LEFT_OUT = object()
VALUES = (LEFT_OUT, None, -1, 0, 1.5, "a\0b", [], {}, True, 1e400, 99, ["x"], {"x": 1})
_MANY = 30


def damaged(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the manifest with one damage each."""
    for place in _places(manifest):
        for value in VALUES:
            changed = copy.deepcopy(manifest)
            holder: Any = changed
            for key in place[:-1]:
                holder = holder[key]
            if value is LEFT_OUT:
                del holder[place[-1]]
            else:
                holder[place[-1]] = value
            yield changed


def _places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if before:
        yield before
    if isinstance(value, dict):
        # One spelling is like another.
        for key in list(value)[: 1 if len(value) > _MANY else None]:
            yield from _places(value[key], (*before, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*before, 0))


def told_of(bundle: Path, folder: Path) -> list[str]:
    """Return what is said of each damage that is refused; ``folder`` is made for the copy."""
    shutil.copytree(bundle, folder)
    said, picture = [], Image.new("RGB", (50, 40), "red")
    for manifest in damaged(json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))):
        (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        try:
            answerer = BundleAnswerer(str(folder))
            answerer.facts()
            seen = answerer.remember([answerer.prepare(picture)])
            answerer.answer(seen, [0, 0], ["what is it", "what color"])
        except InputError as error:
            said.append(str(error))
    return said
