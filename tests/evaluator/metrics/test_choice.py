"""Which metrics a list of names asks for."""

import sys

import pytest

from evaluator.metrics.choice import has_tool, parse_metrics
from evaluator.metrics.loading import load_text_models
from evaluator.metrics.registry import METRICS
from shared.errors import InputError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exact_mach", "did you mean 'exact_match'"),
        ("exct", "did you mean 'exact_match'"),
        ("f1", "did you mean 'token_f1'"),
        ("", "names no metric"),
        ("zzz", "known"),
    ],
)
def test_unknown_metrics_are_refused(text, reason):
    with pytest.raises(InputError, match=reason):
        parse_metrics(text)


def test_metrics_keep_their_order_once_each():
    chosen = parse_metrics("csns, Exact_Match,csns")
    assert chosen == (METRICS["csns"], METRICS["exact_match"])


def test_a_group_leaves_out_what_lacks_its_tool_and_a_name_does_not(monkeypatch, tmp_path):
    pytest.importorskip("pycocoevalcap", reason="the extra `captioning` is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    here = parse_metrics("captioning", has_tool)
    assert [metric.name for metric in here] == ["bleu_1", "bleu_4", "rouge_l", "cider"]
    with pytest.raises(InputError, match="needs Java"):
        load_text_models(parse_metrics("exact_match,meteor", has_tool))


def test_a_metric_whose_extra_is_missing_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(
        InputError, match=r"rouge_l_f1: needs rouge_score.*pip install 'abo-vqa\[cap"
    ):
        load_text_models([METRICS["rouge_l_f1"]])


def test_a_group_that_is_compared_names_all_of_it():
    names = {metric.name for metric in parse_metrics("all")}
    assert {"exact_match", "csns", "substring", "spice"} <= names
    # What needs regions, pictures or several references is asked for by name.
    assert names.isdisjoint({"vtgs", "vtgs_boxes", "vtgs_clip", "vqa_soft", "vqa_v2"})
