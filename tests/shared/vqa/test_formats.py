import importlib.util
import re
from collections import Counter

import pytest
import torch
from transformers import BlipConfig

from evaluator.answering.replica_settings import replica_settings
from shared.errors import InputError
from shared.vqa.families import load_answerer
from shared.vqa.formats import exact_weight, require_format
from shared.vqa.packed.rounding import linear_layers
from shared.vqa.quantization import Quantization
from tests.models import QUESTIONS
from trainer.fitting.adapter import require_targets
from trainer.recipe.recipe import LoraRecipe

HERE = [
    Quantization.NF4,
    Quantization.INT8,
    Quantization.HQQ4,
    Quantization.HQQ3,
    Quantization.HQQ2,
    Quantization.AO_INT8,
]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def exact(tiny_model):
    network = load_answerer(str(tiny_model), quantization=Quantization.NONE).model.network
    return {name: layer.weight for name, layer in linear_layers(network)}


@pytest.fixture(scope="module", params=HERE)
def held(request, tiny_model):
    if request.param is Quantization.AO_INT8:
        pytest.importorskip("torchao")
    return load_answerer(str(tiny_model), quantization=request.param, device=CPU)


def test_every_linear_layer_but_the_head_is_rounded_and_stays_near(held, exact):
    allowed = {"nf4": 0.3, "int8": 0.02, "hqq4": 0.12, "hqq3": 0.25, "hqq2": 0.6, "ao-int8": 0.02}
    for name, weight in exact.items():
        rounded = exact_weight(held.model.network.get_submodule(name))
        lost = (rounded - weight).norm() / weight.norm()
        assert 0 < lost < allowed[held.model.quantization.value], name
    kinds = Counter(type(layer).__name__ for layer in held.model.network.modules())
    assert kinds["Linear"] in {1, len(exact) + 1}


def test_an_answer_does_not_depend_on_the_questions_beside_it(held, images):
    memory = held.remember([held.prepare(image) for image in images])
    together = held.answer(memory, [0] * len(QUESTIONS), QUESTIONS)
    for question, answer in zip(QUESTIONS, together, strict=True):
        [alone] = held.answer(memory, [0], [question])
        assert alone.text == answer.text
        assert alone.confidence == pytest.approx(answer.confidence, rel=1e-4)


@pytest.mark.parametrize(
    ("quantization", "made_by", "said"),
    [
        (Quantization.AO_INT4, "", "--quantize ao-int4: needs a GPU"),
        (Quantization.GPTQ, "", "which this machine lacks; take nf4"),
        (Quantization.GPTQ, "gptq", "give the model that some/model was made of, and take nf4"),
        (Quantization.AUTOROUND, "auto-round", "--quantize autoround: needs a GPU"),
        (
            Quantization.NF4,
            "gptq",
            "as nf4; ask for that (--quantize gptq) where there is the choice",
        ),
        (Quantization.NONE, "gptq", "as none; ask for that (--quantize gptq) where"),
        (Quantization.HQQ4, "bitsandbytes", "(--quantize nf4 or int8) where"),
        (Quantization.NF4, "awq", "as nf4; give the model that it was made of"),
    ],
)
def test_a_format_that_cannot_be_had_here_is_refused_in_one_line(quantization, made_by, said):
    config = BlipConfig()
    if made_by:
        config.quantization_config = {"quant_method": made_by}
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        require_format("some/model", config, quantization, CPU)
    assert "\n" not in str(refused.value)


def test_it_is_refused_before_a_replica_starts_and_before_data_are_read(tiny_model, tmp_path):
    with pytest.raises(InputError, match="--quantize gptq: needs a GPU"):
        replica_settings(str(tiny_model), None, "gptq", tmp_path, batch_size=1, device=CPU)
    # What the nodes of a cluster lack is not known here.
    there = replica_settings(
        str(tiny_model), None, "gptq", tmp_path, batch_size=1, device=torch.device("meta")
    )
    assert there.quantization is Quantization.GPTQ
    if importlib.util.find_spec("torchao") is None:
        with pytest.raises(InputError, match="--quantize ao-int8: needs the package torchao"):
            require_targets(str(tiny_model), LoraRecipe(), Quantization.AO_INT8)
