"""What is known of models: dated, with its source, heeded, and overlaid by a file of one's own."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import shared
from curator.__main__ import app
from curator.prompts.prompt import Prompt
from shared.endpoints.models.known import FreeLimits, packaged_models
from shared.endpoints.models.users_file import ModelsFile, models_with
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import InputError
from shared.program.cli import run_program
from shared.program.settings import validated

CONTENT = tomllib.loads((Path(shared.__file__).parent / "endpoints/models/models.toml").read_text())
MODELS = packaged_models()


def dated(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a table and those in it that hold facts of their own."""
    yield table
    for inner in ("free", "price"):
        if inner in table:
            yield table[inner]


def test_what_is_known_has_a_date_and_a_source_and_each_model_once():
    validated(ModelsFile, CONTENT, source="models.toml")
    for table in [CONTENT, *(one for model in CONTENT["model"] for one in dated(model))]:
        assert isinstance(table.get("read_on", CONTENT["read_on"]), date)
        assert table.get("source", CONTENT["source"])
        assert ("read_on" in table) == ("source" in table)
    names = {table["name"] for table in CONTENT["model"]}
    assert MODELS.default in names
    assert {table["successor"] for table in CONTENT["model"] if "successor" in table} <= names


def test_the_default_model_has_a_price_and_is_open_to_new_keys():
    model = MODELS.known(MODELS.default)
    assert model.price is not None
    assert model.price.of(1_000_000, 1_000_000) == pytest.approx(2.80)
    assert model.retires_on is None
    assert model.free.rpd == 500


def test_nothing_is_made_up_for_a_model_that_is_not_known():
    llava = MODELS.known("llava")
    assert (llava.price, llava.free, llava.is_listed) == (None, FreeLimits(), False)
    assert MODELS.known("gemini-3.8-flash").price is None


def test_a_retirement_names_what_follows():
    flash = MODELS.known("gemini-2.5-flash")
    assert (flash.retires_on, flash.successor) == (date(2026, 12, 1), "gemini-3.5-flash-lite")


def test_a_name_of_a_family_is_known_by_it():
    assert not MODELS.known("gemma-3-27b-it").takes_json_mode
    assert MODELS.known("gemma-4-31b-it").free.rpd == 1000
    assert not MODELS.known("gemma").is_listed


def test_a_misspelt_name_has_its_nearest():
    assert MODELS.nearest("gemini-3.5-flash-light")[0] == "gemini-3.5-flash-lite"
    assert MODELS.nearest("Gemini-3.5-Flash-Lite")[0] == "gemini-3.5-flash-lite"
    assert not MODELS.nearest("llava")


def test_an_image_counts_what_the_model_says_or_by_its_size():
    prompt, by_size, fixed = Prompt(3, 1), MODELS.known("llava"), MODELS.known(MODELS.default)
    small, large = (prompt.request({}, b"", px).measure for px in (300, 500))
    tokens = TokenEstimates(MODELS.tile).input_tokens
    assert tokens(by_size, large) - tokens(by_size, small) == 3 * 258
    assert tokens(fixed, large) == tokens(fixed, small)
    assert tokens(fixed, small) - tokens(by_size, small) == 1120 - 258
    largest = [tokens(model, prompt.largest_measure(512)) for model in (by_size, fixed)]
    assert largest[1] > largest[0]


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "models.toml"
        path.write_text(text)
        return path

    return write


def test_a_file_of_ones_own_is_laid_over_what_is_known(write):
    models = models_with(
        write(
            """
            default = "gemini-9"
            [[model]]
            name = "gemini-9"
            image_tokens = { low = 70, high = 500 }
            image_detail = "low"
            [[model]]
            name = "gemini-3.5-flash-lite"
            retires_on = 2027-03-01
            [model.price]
            input_usd = 1
            output_usd = 2
            """
        )
    )
    assert models.default == "gemini-9"
    assert models.known("gemini-9").tokens_of_image(512) == 70
    lite = models.known("gemini-3.5-flash-lite")
    assert lite.price is not None
    assert lite.price.of(1_000_000, 1_000_000) == 3.0
    # What the file does not say of it stays.
    assert lite.retires_on == date(2027, 3, 1)
    assert (lite.free.rpd, lite.tokens_of_image(1)) == (500, 1120)
    assert models.known("gemini-3.6-flash") == MODELS.known("gemini-3.6-flash")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[model]]\nname = 'x'\nrpd = 5", "unknown key 'model.0.rpd'"),
        ("[[model]]\nname = 'x'\nfree.rpd = -1", "model.0.free.rpd: must be greater"),
        ("[[model]]\nname = 'x'\nprice.input_usd = 1", "model.0.price.output_usd: has to be given"),
        ("[[model]]\nname = 'x'\nimage_tokens.huge = 1", "model.0.image_tokens.huge"),
        ("[[model]]\nname = 'x'\nimage_tokens.low = 1", "x: give image_detail, one of ['low']"),
        ("[[model]]\nname = 'x'\nimage_detail = 'low'", "x: image_tokens has no 'low'"),
        ("[[model]]\nname = 'x'\nretires_on = 'soon'", "model.0.retires_on"),
        ("[[model]]\nname = 'x'\n[[model]]\nname = 'x'", "models.toml: model 'x' occurs twice"),
        ("model = 3", "model: a list was expected"),
        ("name = 'x'", "unknown key 'name'"),
        ("[[model", "not valid TOML"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_in_one_line(write, text, told):
    with pytest.raises(InputError) as caught:
        models_with(write(text))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(write(text)))


async def test_a_campaign_goes_by_a_file_of_ones_own(stage, write):
    campaign = await stage()
    models = write("[[model]]\nname = 'house'\nprice.input_usd = 1e6\nprice.output_usd = 0")
    assert (await campaign.run(model="house")).code == 0
    kept = json.loads((await campaign.command("status", "--json")).out)["campaigns"][0]
    assert kept["cost_usd"] is None
    told = await campaign.command("status", "--json", "--models", str(models))
    assert json.loads(told.out)["campaigns"][0]["cost_usd"] == kept["tokens"]["input"]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_commands_refuse_a_file_that_makes_no_sense(abo, tmp_path, capsys, write, command):
    models = write("[[model]]\nname = 3")
    ledger = ["--ledger", str(tmp_path / "l.db")] if command == "run" else []
    arguments = [command, "--catalog", str(abo), "--models", str(models), *ledger]
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", arguments)
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert "model.0.name: a text in quotes was expected" in told
    assert not (tmp_path / "l.db").exists()


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("name", ["", " ", "models/"])
def test_a_blank_name_of_a_model_is_refused(abo, tmp_path, capsys, command, name):
    ledger = ["--ledger", str(tmp_path / "l.db")] if command == "run" else []
    keys = tmp_path / "keys.txt"
    keys.write_text("AIzaSyKeyNumberOne001")
    arguments = [command, "--catalog", str(abo), "--keys", str(keys), "--model", name, *ledger]
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", arguments)
    assert ended.value.code == 2
    assert "--model: a name is blank" in capsys.readouterr().err
    assert not (tmp_path / "l.db").exists()


def blocks(section: str) -> list[str]:
    """The indented blocks with models in a section of the document for users."""
    document = Path(shared.__file__).parents[1] / "docs/operating.md"
    text = document.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line[4:] if line.startswith("    ") else "" for line in text.splitlines()]
    parts = "\n".join(line or "\0" for line in lines).split("\0")
    return [part for part in parts if "[[model]]" in part]


@pytest.mark.parametrize("section", ["Models", "How to follow the next change"])
def test_the_files_in_the_document_for_users_are_taken(write, section):
    (block,) = blocks(section)
    names = [table["name"] for table in tomllib.loads(block)["model"]]
    models = models_with(write(block))
    assert all(models.known(name).price is not None for name in names)
    assert all(models.known(name).tiers == ("standard", "flex", "batch") for name in names)
