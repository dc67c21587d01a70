"""The commands and files that the documents show are ones that the programs take."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import typer

import curator.__main__
import evaluator.__main__
import trainer.__main__
from curator.rehearsal.script import read_script
from shared.endpoints.keys.keyfile import read_keys
from tests.docs.written import PAGES, PARSED_ONLY, blocks
from tests.docs.written import commands as typed
from trainer.recipe.recipe import FitRecipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md"))]
PROGRAMS = {
    "curator": curator.__main__.app,
    "trainer": trainer.__main__.app,
    "evaluator": evaluator.__main__.app,
}


def commands(documents: Sequence[str]) -> Iterator[list[str]]:
    """Each command line of one of the programs, also those that Ray is asked to run.

    A backslash joins lines.
    """
    text = "\n".join(block for document in documents for block in blocks(document))
    for line in text.replace("\\\n", " ").splitlines():
        if re.match(rf"(ray job submit .* -- )?({'|'.join(PROGRAMS)}) ", line):
            asked = line.partition(" -- ")[2] or line
            yield shlex.split(asked.partition(" > ")[0], comments=True)


def block_with(text: str) -> str:
    [block] = [block for each in (README, *DOCUMENTS) for block in blocks(each) if text in block]
    return block


@pytest.mark.parametrize("words", list(commands([README, *DOCUMENTS])), ids=" ".join)
def test_a_command_is_taken_as_it_is_written(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of commands and options, and the values' types; nothing is run."""
    # A campaign file is read at once.
    monkeypatch.chdir(ROOT / "docs/operating")
    program = typer.main.get_command(PROGRAMS[words[0]])
    context = program.make_context(words[0], words[1:])
    name, command, rest = program.resolve_command(context, words[1:])  # type: ignore[attr-defined]
    assert command.make_context(name, rest, parent=context).info_name == name


def test_what_is_not_typed_by_a_test_stands_in_some_document() -> None:
    said = [each for page in PAGES.values() for each in typed(page.read_text(encoding="utf-8"))]
    idle = [how for how in PARSED_ONLY if not any(re.match(how, command) for command in said)]
    assert idle == []


def test_the_programs_of_every_stage_are_shown() -> None:
    """The test above cannot pass by finding nothing."""
    shown = {tuple(words[:2]) for words in commands([README])}
    assert shown >= {
        ("curator", "run"), ("curator", "status"), ("curator", "export"), ("curator", "rehearse"),
        ("trainer", "fit"), ("evaluator", "run"), ("evaluator", "score"),
        ("evaluator", "predict"), ("evaluator", "report"),
    }  # fmt: skip


def test_the_keys_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(block_with("GEMINI_KEY_LAPTOP"), encoding="utf-8")
    [key] = read_keys(path, {"GEMINI_KEY_LAPTOP": "secret"})
    assert (key.label, key.project, key.quota.rpd) == ("laptop", "my-project", 500)


def test_the_recipe_is_read_and_says_the_defaults() -> None:
    """What the README shows beyond the paths are the defaults."""
    written = tomllib.loads(block_with('Salesforce/blip-vqa-base"\ndata'))
    paths = {name: written[name] for name in ("data", "images", "out")}
    assert FitRecipe.model_validate(written) == FitRecipe.model_validate(paths)


def test_the_rehearsal_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "day.toml"
    path.write_text(block_with("fault = "), encoding="utf-8")
    script = read_script(path)
    assert [key.label for key in script.key] == ["laptop", "old"]


def test_make_has_the_targets_that_it_names() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake\s+([a-z][a-z-]+)\b", README))
    assert {"demo", "test", "check"} <= named <= targets
