"""`trainer fuse`: one adapter of several, and what each domain forgot."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from huggingface_hub import ModelCard

from shared.corpus import read_json, read_pairs, write_json
from shared.dataset.training_images import read_training_images
from shared.program.cli import run_program
from shared.program.settings import validated
from tests.models import load_float
from tests.places import files_that_name
from tests.trainer.recipes import fit_settings, write_data
from trainer.__main__ import app
from trainer.fitting.adapter import lora_layers
from trainer.fitting.fit import fit
from trainer.fitting.record import require_record
from trainer.merging.domains import kept_domain, unseen_by_all
from trainer.merging.fuse import fuse
from trainer.merging.fusion import Fusion
from trainer.merging.merge import merge
from trainer.recipe.recipe import FitRecipe

RUN = {"epochs": 1, "warmup_min_steps": 0, "learning_rate": 5e-3, "accumulation": 1}


def run_fuse(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "trainer", ["fuse", *map(str, words)])
    return leaving.value.code


@pytest.fixture(scope="module")
def domains(tmp_path_factory, tiny_model):
    """Two adapters for one base, of different rank and scale, and one with other targets."""
    folder = tmp_path_factory.mktemp("domains")
    write_data(folder)
    loras = {
        "chairs": {"rank": 4, "alpha": 8, "targets": ["query", "value"]},
        "lamps": {"rank": 2, "alpha": 2, "targets": ["query", "value"], "rslora": True},
        "doors": {"rank": 2, "alpha": 2, "targets": ["key"]},
    }
    for seed, (name, lora) in enumerate(loras.items()):
        changes = {"out": str(folder / name), "seed": seed, "lora": lora}
        settings = fit_settings(tiny_model, folder, **(RUN | changes))
        fit(validated(FitRecipe, settings, source="test"), resume=False)
    return folder


def updates(base, adapter):
    model = load_float(base, adapter)
    return {
        name: layer.get_delta_weight("default") for name, layer in lora_layers(model.peft).items()
    }


def test_the_linear_fusion_is_the_weighted_sum_of_the_updates(tmp_path, domains, tiny_model):
    chairs, lamps = domains / "chairs", domains / "lamps"
    result = fuse([lamps, chairs], tmp_path / "out", method=Fusion.LINEAR, weights=[0.25, 0.75])
    assert result.rank == 6
    of_chairs, of_lamps = updates(tiny_model, chairs), updates(tiny_model, lamps)
    fused = updates(tiny_model, tmp_path / "out")
    assert fused.keys() == of_chairs.keys()
    for name, update in fused.items():
        wanted = 0.75 * of_chairs[name] + 0.25 * of_lamps[name]
        assert torch.allclose(update, wanted, atol=1e-5), name


@pytest.mark.parametrize("method", [Fusion.TIES, Fusion.DARE_LINEAR, Fusion.DARE_TIES])
def test_other_fusions_load_and_lean_towards_both(tmp_path, domains, tiny_model, method):
    adapters = [domains / "chairs", domains / "lamps"]
    fuse(adapters, tmp_path / "out", method=method, density=0.7)
    fused = _flat(updates(tiny_model, tmp_path / "out"))
    for adapter in adapters:
        own = _flat(updates(tiny_model, adapter))
        assert torch.cosine_similarity(fused, own, dim=0) > 0.2


def _flat(updates) -> torch.Tensor:
    return torch.cat([updates[name].flatten() for name in sorted(updates)])


def test_a_fused_adapter_can_be_merged(tmp_path, domains, tiny_model):
    fuse([domains / "chairs", domains / "lamps"], tmp_path / "fused", method=Fusion.LINEAR)
    result = merge(tmp_path / "fused", tmp_path / "merged")
    # Both were trained on the same data, whose test pairs are the fusion's.
    held_out = [p for p in read_pairs(domains / "chairs" / "dataset") if p.split == "test"]
    assert (result.split, result.pairs) == ("test", len(held_out))
    record = require_record(tmp_path / "fused")
    assert record.exact_match == result.exact_match["base + adapter"]
    assert load_float(tmp_path / "merged").network.state_dict().keys() == (
        load_float(tiny_model).network.state_dict().keys()
    )


def test_domains_with_images_in_several_folders_are_kept_together(tmp_path, domains):
    shutil.copytree(domains / "images", tmp_path / "more" / "images")
    result = fuse(
        [domains / "chairs", domains / "lamps"],
        tmp_path / "fused",
        method=Fusion.LINEAR,
        images=[domains / "images", tmp_path / "more" / "images"],
    )
    record = require_record(tmp_path / "fused")
    domain = kept_domain(tmp_path / "fused", record, None)
    assert len(domain.held_out) == sum(fused.pairs for fused in result.domains)
    assert all((domain.images / pair.filename).is_file() for pair in domain.trained_on)
    # So that `evaluator run --adapter chairs=.. --adapter lamps=..` takes the same questions.
    places = {(pair.domain, pair.filename.startswith("more/")) for pair in domain.held_out}
    assert len(places) == 2
    assert {name for name, _ in places} == {"chairs", "lamps"}


def test_the_table_has_every_model_in_every_domain(tmp_path, domains, capsys, tiny_model):
    words = (domains / "chairs", domains / "lamps", "--out", tmp_path / "out", "--json")
    assert run_fuse(*words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [domain["name"] for domain in printed["domains"]] == ["chairs", "lamps"]
    for domain in printed["domains"]:
        scores = domain["exact_match"]
        assert list(scores) == ["base", "chairs", "lamps", "fused"]
        assert domain["forgotten"] == scores[domain["own"]] - scores["fused"]
        assert domain["pairs"] == 8
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "| domain | split | questions | base | chairs | lamps | fused |" in card
    figures = {each.dataset_name: each.metric_value for each in ModelCard(card).data.eval_results}
    assert figures == {
        domain["name"]: round(domain["exact_match"]["fused"], 6) for domain in printed["domains"]
    }
    assert not files_that_name(tiny_model, tmp_path / "out")


def digests(some):
    return {fingerprint.digest for fingerprint in some}


def test_a_fused_adapter_knows_what_all_of_them_were_trained_on(tmp_path, domains):
    fuse([domains / "chairs", domains / "lamps"], tmp_path / "out", method=Fusion.LINEAR)
    images = read_training_images(tmp_path / "out")
    parts = [read_training_images(domains / name) for name in ("chairs", "lamps")]
    assert digests(images.trained_on) == digests(parts[0].trained_on + parts[1].trained_on)
    assert len(images.trained_on) == 12


def test_what_another_adapter_was_trained_on_is_not_held_out(tmp_path, domains):
    adapter = domains / "chairs"
    domain = kept_domain(adapter, require_record(adapter), None)
    assert unseen_by_all([domain, domain], [adapter, adapter])[0].held_out == domain.held_out
    # An old adapter, which has its pairs alone.
    greedy = replace(domain, name="greedy", trained_on=domain.held_out[:2])
    # Both questions are about one image.
    left = unseen_by_all([domain, greedy], [adapter, tmp_path])[0].held_out
    assert left == domain.held_out[2:]


def test_adapters_that_do_not_go_together_are_refused(tmp_path, domains, capsys):
    other = tmp_path / "other"
    shutil.copytree(domains / "lamps", other)
    write_json(read_json(other / "run.json") | {"base_revision": "sha256:0"}, other / "run.json")
    chairs = domains / "chairs"
    cases = {
        "give two or more to fuse": (chairs,),
        "chairs and doors have different targets (query, value; key)": (chairs, domains / "doors"),
        "chairs and other have different bases": (chairs, other),
        "each adapter once": (chairs, chairs),
        "3 weights for 2 adapters": (chairs, domains / "lamps", "--weights", "1,2,3"),
        "expected numbers": (chairs, domains / "lamps", "--weights", "half"),
        "run.json is missing": (chairs, tmp_path / "none"),
    }
    (tmp_path / "none").mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copy(chairs / name, tmp_path / "none" / name)
    for reason, words in cases.items():
        assert run_fuse(*words, "--out", tmp_path / "out") == 2
        error = capsys.readouterr().err.strip()
        assert reason in error
        assert "\n" not in error
    assert not (tmp_path / "out").exists()
