"""An adapter that is rounded together with its packed base: trained, refused, merged."""

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch

from evaluator.answering.replica_settings import replica_settings
from shared.corpus import write_json
from shared.errors import InputError
from shared.images.decoding import open_image
from shared.onnx_vqa import is_bundle
from shared.program.settings import validated
from shared.vqa.adapting.adapter_files import ROUNDED_TOGETHER, TRAINING_RECORD, adapter_digest
from shared.vqa.adapting.rounded_together import mark_rounded_together, require_its_base
from shared.vqa.families import load_answerer
from shared.vqa.names.weights_revision import weights_revision
from shared.vqa.packed.folder import WEIGHTS
from shared.vqa.packed.record import PACKED_FILE, packed_record, write_packed_record
from shared.vqa.quantization import Quantization
from tests.models import QUESTIONS, save_packed_model, save_tiny_adapter
from tests.trainer.recipes import fit_settings, write_data
from trainer.fitting.adapter import require_targets
from trainer.fitting.fit import fit
from trainer.fitting.record import RunRecord, require_record
from trainer.merging.compatibility import require_compatible
from trainer.merging.merge import ADAPTER, MERGED, merge, write_merged
from trainer.publishing.folder import published
from trainer.publishing.parcel import model_parcel
from trainer.recipe.recipe import FitRecipe, LoraRecipe, LoraStart

CPU = torch.device("cpu")
RUN = {
    "epochs": 1,
    "warmup_min_steps": 0,
    "learning_rate": 0.02,
    "accumulation": 1,
    "quantize": "nf4",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def packed(tmp_path_factory, tiny_model):
    return save_packed_model(tmp_path_factory.mktemp("packed"), tiny_model, Quantization.HQQ2)


def recipe(base, data, out, **changes) -> FitRecipe:
    lora = {"rounded": True, "targets": ["query", "value"]} | changes.pop("lora", {})
    settings = fit_settings(base, data, out=str(out), **(RUN | changes))
    settings["lora"] = settings.get("lora", {}) | lora
    return validated(FitRecipe, settings, source="test")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, data, packed):
    out = tmp_path_factory.mktemp("run") / "adapter"
    return fit(recipe(packed, data, out), resume=False).adapter


@pytest.fixture(scope="module")
def merged(tmp_path_factory, adapter):
    out = tmp_path_factory.mktemp("merged") / "model"
    return out, merge(adapter, out)


@pytest.fixture(scope="module")
def images(data):
    return [open_image(path) for path in sorted((data / "images").rglob("*.*"))[:2]]


@pytest.fixture(scope="module")
def marked(tmp_path_factory, tiny_model):
    """An adapter that no run made, with the mark."""
    folder = save_tiny_adapter(tmp_path_factory.mktemp("marked") / "adapter", tiny_model)
    mark_rounded_together(folder)
    return folder


def codes(folder, adapter=None):
    network = load_answerer(str(folder), adapter=adapter, device=CPU).model.network
    return {name: t for name, t in network.state_dict().items() if name.endswith("codes")}


def answers(folder, images, adapter=None, **held):
    answerer = load_answerer(str(folder), adapter=adapter, device=CPU, **held)
    memory = answerer.remember([answerer.prepare(image) for image in images])
    return [
        (answer.text, answer.confidence)
        for answer in answerer.answer(memory, [0] * len(QUESTIONS), QUESTIONS)
    ]


@pytest.mark.slow
def test_the_merged_model_answers_as_the_two_did_in_the_base_s_bits(
    merged, adapter, packed, images
):
    out, result = merged
    assert answers(out, images) == answers(packed, images, adapter)
    assert result.exact_match[MERGED] == result.exact_match[ADAPTER]
    assert (out / WEIGHTS).stat().st_size == (packed / WEIGHTS).stat().st_size
    before, now = codes(packed), codes(out)
    changed = [name for name, code in before.items() if not code.equal(now[name])]
    assert changed
    assert all(name.rpartition(".")[0].endswith(("query", "value")) for name in changed)
    assert packed_record(out).base == ""
    assert "rounded to the bits of the packed base" in (out / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_what_is_exported_of_it_is_the_merged_model(merged, adapter, tmp_path, images):
    out = tmp_path / "not there yet"
    write_merged(adapter, require_record(adapter), out)
    held = {"quantization": Quantization.NONE}
    assert not is_bundle(str(out))
    assert answers(out, images, **held) == answers(merged[0], images, **held)


def test_it_goes_with_nothing_but_its_packed_base(marked, tiny_model, packed):
    with pytest.raises(InputError, match="rounded together with its packed base, which this base"):
        load_answerer(str(tiny_model), adapter=marked, device=CPU)
    with pytest.raises(InputError, match="without --quantize"):
        load_answerer(str(packed), adapter=marked, quantization=Quantization.NONE, device=CPU)
    with pytest.raises(InputError, match="such an adapter goes alone"):
        load_answerer(str(packed), adapters={"a": marked, "b": marked}, device=CPU)
    with pytest.raises(InputError, match="which this base is not"):
        load_answerer(str(tiny_model), adapter=marked, quantization=Quantization.HQQ2, device=CPU)
    record = RunRecord("", str(packed), "", "packed", "zero", ".", 1, 0.0, 0.0, 1)
    with pytest.raises(InputError, match="cannot be added to others; merge it instead"):
        require_compatible([marked, marked], ["a", "b"], [record, record])


def test_another_packed_base_than_its_own_is_refused(marked, packed, tmp_path):
    adapter = tmp_path / "adapter"
    shutil.copytree(marked, adapter)
    record = {"base": "small", "base_revision": weights_revision(packed)}
    write_json(record, adapter / TRAINING_RECORD)
    require_its_base(adapter, str(packed), Quantization.PACKED)
    write_json(record | {"base_revision": "sha256:0"}, adapter / TRAINING_RECORD)
    said = r"another packed base than .* \(small\); give that"
    with pytest.raises(InputError, match=said):
        load_answerer(str(packed), adapter=adapter, device=CPU)
    with pytest.raises(InputError, match=said):
        replica_settings(str(packed), adapter, "nf4", tmp_path, batch_size=1)


def test_packed_weights_without_their_record_are_named(packed, tmp_path):
    shutil.copytree(packed, tmp_path / "packed")
    (tmp_path / "packed" / PACKED_FILE).unlink()
    with pytest.raises(InputError, match=r"weights are packed, but packed\.json"):
        load_answerer(str(tmp_path / "packed"), device=CPU)


def test_the_mark_and_the_record_of_packed_weights_go_where_the_weights_go(
    marked, packed, tiny_model, tmp_path
):
    assert ROUNDED_TOGETHER in published(marked).files
    assert {"packed.json", "model.safetensors"} <= published(packed).files.keys()
    sent = json.loads(model_parcel(packed, "owner/small", None, "mit").files["packed.json"])
    kept = json.loads((packed / "packed.json").read_bytes())
    assert kept.pop("base_folder") == os.path.relpath(tiny_model.resolve(), packed.resolve())
    assert sent == kept | {"base": tiny_model.name}
    plain = save_tiny_adapter(tmp_path / "plain", tiny_model)
    digest = adapter_digest(plain)
    (plain / ROUNDED_TOGETHER).write_text(json.dumps({}), encoding="utf-8")
    assert adapter_digest(plain) != digest


@pytest.mark.parametrize(("base", "said"), [("", "merged in"), ("./gone", "which is not found")])
def test_a_start_at_the_rounding_error_wants_the_exact_weights(packed, tmp_path, base, said):
    folder = shutil.copytree(packed, tmp_path / "packed")
    write_packed_record(replace(packed_record(folder), base=base), folder)
    with pytest.raises(InputError, match=f"{said}.*take lora.start"):
        require_targets(str(folder), LoraRecipe(start=LoraStart.LOFTQ), Quantization.PACKED)


@pytest.mark.parametrize(
    ("base", "changes", "said"),
    [
        ("tiny_model", {}, "is not held packed"),
        ("packed", {"quantize": "none"}, "is not held packed"),
        ("packed", {"lora": {"dora": True}}, "lora.dora scales the sum"),
        ("packed", {"lora": {"targets": ["cls.predictions.decoder"]}}, "none of the layers"),
    ],
)
def test_what_cannot_be_rounded_together_is_one_line(request, data, tmp_path, base, changes, said):
    order = recipe(request.getfixturevalue(base), data, tmp_path / "out", **changes)
    with pytest.raises(InputError, match=said) as told:
        fit(order, resume=False)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "out").exists()
