"""Graphs of fixed sizes answer as those whose lengths may vary, and their converter lives apart."""

import sys

import pytest

from shared.errors import InputError
from tests.models import load_float
from tests.trainer.export.answers import answers_of_bundle, answers_of_model
from trainer.export.bundle import Provenance, write_bundle, write_graphs
from trainer.export.families.blip import exportable_blip
from trainer.export.families.blip_fixed import with_fixed_sizes
from trainer.export.litert.conversion import require_converter
from trainer.export.variants import Variant


@pytest.mark.slow
def test_filled_up_to_a_length_a_question_gets_the_same_answer(original, images, asked, tmp_path):
    exportable = with_fixed_sizes(exportable_blip(load_float(original)))
    list(write_graphs(exportable, tmp_path))
    # By onnxruntime: LiteRT's converter is no neighbour of what tests need.
    bundle = tmp_path / "bundle"
    write_bundle(tmp_path, exportable, Variant.FLOAT32, Provenance("tiny", "r1", ""), bundle)
    wanted = answers_of_model(original, images, asked)
    assert len({answer.text for answer in wanted}) > 10
    answers = answers_of_bundle(bundle, images, asked)
    assert [answer.text for answer in answers] == [answer.text for answer in wanted]
    assert [answer.confidence for answer in answers] == pytest.approx(
        [answer.confidence for answer in wanted], rel=1e-3
    )


def test_where_the_converter_is_missing_one_line_says_how_to_get_it(tmp_path):
    for python in (None, tmp_path / "nothing", sys.executable):
        with pytest.raises(InputError, match=r"litert-torch|does not start") as refused:
            require_converter(python)
        assert "\n" not in str(refused.value)
