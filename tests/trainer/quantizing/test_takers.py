"""Which commands take a packed folder: the table in the documents has each that takes a model."""

import re
from pathlib import Path

import typer

from evaluator.__main__ import app as evaluator
from trainer.__main__ import app as trainer

PAGE = Path(__file__).parents[3] / "docs/quantization.md"
MODELS = {"model", "adapter"}
OTHERWISE = {"trainer fit", "trainer sweep", "trainer pretrain", "trainer push"}
"""Those that are told of a model by a recipe or as a folder."""


def takers(name, app):
    for word, command in typer.main.get_command(app).commands.items():
        if MODELS & {each.name for each in command.whole.params}:
            yield f"{name} {word}"


def test_every_command_that_takes_a_model_stands_in_the_table():
    text = PAGE.read_text(encoding="utf-8").partition("## What takes it")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+ \w+)`", row.split(" | ")[0])]
    expected = {*takers("trainer", trainer), *takers("evaluator", evaluator), *OTHERWISE}
    assert len(named) == len(set(named))
    assert set(named) == expected
