"""A command line that is kept can be given again, and loses nothing."""

import string
from enum import Enum
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.__main__ import app
from shared.program.command_line import given_arguments, rendered, without_paths

TEXTS = st.text(string.printable.replace("\x00", ""), max_size=12)
REQUIRED = {"data": "d.csv", "images": "pictures", "model": "m", "out": Path("run")}


def evaluator_run():
    return typer.main.get_command(app).commands["run"].whole


def values_of(parameter, context):
    """What may be given for a parameter, in the type that its parser makes of it."""
    default = parameter.get_default(context)
    least = parameter.min if parameter.min is not None else 0
    if parameter.is_flag or parameter.multiple:
        return st.booleans() if parameter.is_flag else st.lists(TEXTS, min_size=1, max_size=3)
    if isinstance(default, Enum):
        return st.sampled_from(list(type(default)))
    if parameter.name == "gpus_per_replica":
        return st.none() | st.floats(least, 8, allow_nan=False)
    if isinstance(default, int) or parameter.name in {"limit", "bertscore_layers"}:
        return st.integers(least, 10**6)
    if parameter.name in {"out", "train"}:
        return TEXTS.filter(bool).map(Path)
    return TEXTS


@st.composite
def orders(draw):
    command = evaluator_run()
    context = command.make_context("run", given_all(REQUIRED))
    chosen = draw(st.sets(st.sampled_from([one.name for one in command.params])))
    drawn = {
        one.name: draw(values_of(one, context)) for one in command.params if one.name in chosen
    }
    return {**REQUIRED, **{name: value for name, value in drawn.items() if value is not None}}


def given_all(values):
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


@settings(max_examples=80, deadline=None)
@given(orders())
def test_the_parser_reads_what_was_rendered_for_every_option_of_a_run(values):
    command = evaluator_run()
    context = command.make_context("run", given_all(REQUIRED))
    again = command.make_context("run", rendered(command.params, values, context))
    assert again.params == {**context.params, **values}


def test_every_option_of_a_run_is_drawn_by_the_test_above():
    command = evaluator_run()
    context = command.make_context("run", given_all(REQUIRED))
    for parameter in command.params:
        assert values_of(parameter, context) is not None
    assert len(command.params) > 20


def test_local_paths_are_kept_whole_and_nothing_else_is_taken_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lamps", "test", "pictures"):
        (tmp_path / name).mkdir()
    arguments = [
        *("--data", "s3://bucket/d.csv", "--images", "pictures", "--model", "some/model"),
        *("--adapter", "lamps=lamps", "--split", "test", "--name", "test", "--out", "run"),
    ]
    context = evaluator_run().make_context("run", arguments)
    assert given_arguments(context, {"data", "images", "model", "adapter", "out"}) == [
        *("--data", "s3://bucket/d.csv", "--images", f"{tmp_path}/pictures"),
        *("--model", "some/model", "--out", f"{tmp_path}/run"),
        *("--adapter", f"lamps={tmp_path}/lamps", "--split", "test", "--name", "test"),
    ]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--data", "/of/mine/d.csv"], ["--data", "d.csv"]),
        (["--data", "s3://mine/d.csv"], ["--data", "d.csv"]),
        (["--adapter", "a=/of/mine/b"], ["--adapter", "a=b"]),
        (["--out", "/of/mine"], ["--out", "RUN"]),
        (["--out=-x"], ["--out=RUN"]),
        (["--model", "a/b", "--name", "x=y"], ["--model", "a/b", "--name", "x=y"]),
    ],
)
def test_what_is_shown_to_others_holds_no_folder_of_this_machine(arguments, shown):
    assert without_paths(arguments, {"--out": "RUN"}) == shown
