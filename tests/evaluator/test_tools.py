"""Tools that are missing, and a torchvision of another build."""

import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.clip import ClipScorer
from evaluator.tools import ToolMissing

ROOT = Path(__file__).parents[2]
ASKS_FOR_OPERATORS = """
import torch
if not hasattr(torch.ops.torchvision, "nms"):
    raise RuntimeError("operator torchvision::nms does not exist")
"""
IMPORTED = """
import torch
import shared.vqa
import torchvision
print(hasattr(torch.ops.torchvision, "nms"), hasattr(torch.ops.torchvision, "qnms"))
"""


@pytest.mark.parametrize(
    ("torchvision", "declared"),
    [(ASKS_FOR_OPERATORS, "True True"), ("", "False False")],
    ids=["of another build", "that fits"],
)
def test_operators_are_declared_only_where_torchvision_fails_over_them(
    torchvision, declared, tmp_path
):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(torchvision)
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}){IMPORTED}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == declared, ran.stderr


def test_clip_without_open_clip_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ToolMissing, match=r"needs open_clip.*pip install 'abo-vqa\[clip\]'"):
        ClipScorer("ViT-B-32", "openai", str(tmp_path))
