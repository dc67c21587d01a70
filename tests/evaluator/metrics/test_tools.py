"""Tools that are missing."""

import sys

import pytest

from evaluator.metrics.text_models.clip import ClipScorer
from evaluator.metrics.tools import ToolMissing


def test_clip_without_open_clip_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ToolMissing, match=r"needs open_clip.*pip install 'abo-vqa\[clip\]'"):
        ClipScorer("ViT-B-32", "openai", str(tmp_path))
