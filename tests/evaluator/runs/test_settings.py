"""What a command is asked for can be typed again, and loses nothing."""

from __future__ import annotations

import string
from enum import Enum
from pathlib import Path
from typing import Annotated, ClassVar, get_args, get_origin

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluator.__main__ import app
from evaluator.runs.settings import CommandSettings, RunSettings, ScoreSettings
from shared.vqa.names.embedded import EMBEDDED_MODEL

WORDS = st.sampled_from(
    ["-x", "--out", "--", "a b", "x=run", "größe", "面", "it's", "a,b", ".", "~"]
)
TEXTS = WORDS | st.text(string.printable.replace("\x00", ""), max_size=12)
PATHS = (WORDS | TEXTS.filter(bool)).map(Path)
KINDS = {"run": RunSettings, "score": ScoreSettings}
REQUIRED = {
    "run": ["--data", "d.csv", "--out", "run"],
    "score": ["answers.csv"],
}

OF_ONE_CALL = {"version", "verbose", "dry_run"}


def command_of(name):
    return typer.main.get_command(app).commands[name].whole


def parsed(command, kind, arguments):
    """What the command makes of its arguments: the settings that it reads from the context."""
    return kind.model_validate(command.make_context("evaluator", list(arguments)).params)


def values_of(parameter):
    """What may be given for a parameter of a command, by the type that its parser makes."""
    annotation = parameter.type_descriptor.annotation
    several = get_origin(annotation) is list
    kind = get_args(annotation)[0] if several else annotation
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    values = {
        bool: st.booleans(),
        int: st.integers(-9 if parameter.min is None else parameter.min, 10**6),
        float: st.floats(parameter.min, 8, allow_nan=False),
        Path: PATHS,
        str: TEXTS,
    }[kind]
    return st.lists(values, min_size=1, max_size=3).map(tuple) if several else values


@st.composite
def asked(draw, name):
    """Settings of a command, any of its parameters drawn."""
    command, kind = command_of(name), KINDS[name]
    base = parsed(command, kind, REQUIRED[name])
    drawn = {
        parameter.name: draw(values_of(parameter))
        for parameter in command.params
        if parameter.name not in OF_ONE_CALL and draw(st.booleans())
    }
    return kind.model_validate(base.model_dump() | drawn)


@pytest.mark.parametrize("name", KINDS)
def test_every_option_is_a_field_and_every_field_an_option(name):
    command, kind = command_of(name), KINDS[name]
    parameters = [each for each in command.params if each.name not in OF_ONE_CALL]
    assert {parameter.name for parameter in parameters} == set(kind.model_fields)
    base = parsed(command, kind, REQUIRED[name])
    for parameter in parameters:
        assert values_of(parameter) is not None
        if not parameter.required:
            field = kind.model_fields[parameter.name]
            assert getattr(base, parameter.name) == field.default, parameter.name


@settings(max_examples=120)
@given(asked("run"))
@example(RunSettings(data="-x", images="a b", model="m=n", out=Path("x=run"), prompt="--json"))
@example(RunSettings(data="d", images="i", model="m", out=Path("-x"), adapter=("-a=b", "c=d=e")))
def test_the_parser_reads_what_was_rendered_for_every_option_of_a_run(whole):
    assert parsed(command_of("run"), RunSettings, whole.arguments()) == whole


@settings(max_examples=120)
@given(asked("score"))
@example(ScoreSettings(predictions=("-x", "--out", "größe b.csv")))
def test_the_parser_reads_what_was_rendered_for_every_option_of_a_score(whole):
    assert parsed(command_of("score"), ScoreSettings, whole.arguments()) == whole


class Switched(CommandSettings):
    bright: bool = True
    dark: bool = False
    option_names: ClassVar = {"dark": "--dim"}


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("dark", [True, False])
def test_a_switch_that_is_on_unless_told_otherwise_is_rendered_by_its_negative(bright, dark):
    application = typer.Typer()

    @application.command()
    def switch(
        *,
        bright: bool = True,
        dark: Annotated[bool, typer.Option("--dim")] = False,
    ) -> None: ...

    command = typer.main.get_command(application)
    whole = Switched(bright=bright, dark=dark)
    assert parsed(command, Switched, whole.arguments()) == whole
    assert ("--no-bright" in whole.arguments()) is not bright


def test_local_paths_are_kept_whole_and_nothing_else_is_taken_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lamps", "test", "pictures", "auto", EMBEDDED_MODEL):
        (tmp_path / name).mkdir()
    asked = RunSettings(
        data="s3://bucket/d.csv",
        images="pictures",
        model=EMBEDDED_MODEL,
        out=Path("x=run"),
        adapter=("lamps=lamps",),
        split="test",
        name="test",
        bertscore_model="auto",
        sentence_model="test",
    )
    whole = asked.whole()
    assert whole.arguments() == [
        *("--data", "s3://bucket/d.csv", "--out", f"{tmp_path}/x=run"),
        *("--sentence-model", f"{tmp_path}/test", "--model", EMBEDDED_MODEL),
        *("--images", f"{tmp_path}/pictures"),
        *("--adapter", f"lamps={tmp_path}/lamps", "--split", "test", "--name", "test"),
    ]
    assert whole.whole() == whole
    for name in ("a.csv", "p", "t"):
        (tmp_path / name).mkdir()
    score = ScoreSettings(predictions=("a.csv",), images="p", train="t")
    assert score.whole().arguments() == [
        *("--train", f"{tmp_path}/t", "--images", f"{tmp_path}/p", "--", f"{tmp_path}/a.csv"),
    ]


def test_a_tag_of_clip_weights_stays_a_tag_and_a_file_is_kept_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("openai", "weights.pt"):
        (tmp_path / name).touch()
    answers = ("answers.csv",)
    kept = {
        weights: ScoreSettings(predictions=answers, clip_weights=weights).whole().clip_weights
        for weights in ("openai", "laion2b_s34b_b79k", "./openai", "weights.pt")
    }
    assert kept == {
        "openai": "openai",
        "laion2b_s34b_b79k": "laion2b_s34b_b79k",
        "./openai": f"{tmp_path}/openai",
        "weights.pt": f"{tmp_path}/weights.pt",
    }


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"data": "/of/mine/d.csv"}, ["--data", "d.csv"]),
        ({"data": "s3://mine/d.csv"}, ["--data", "d.csv"]),
        ({"data": "https://h/mine/d.csv?X-Amz-Signature=abc&x=/y"}, ["--data", "d.csv"]),
        ({"data": "https://user:word@h?token=abc"}, ["--data", "h"]),  # pragma: allowlist secret
        ({"data": "https://h/mine/data#sig=abc"}, ["--data", "data"]),
        ({"adapter": ("a=/of/mine/b",)}, ["--adapter", "a=b"]),
        ({"adapter": ("/of/mine/b=c",)}, ["--adapter", "b=c"]),
        ({"out": Path("/of/mine")}, ["--out", "RUN"]),
        ({"out": Path("-x")}, ["--out", "RUN"]),
        ({"address": "ray://1.2.3.4:10001"}, ["--address", "ADDRESS"]),
        ({"train": "/of/mine/t.csv"}, ["--train", "t.csv"]),
        ({"model": "a/b", "name": "x=y"}, ["--model", "a/b", "--name", "x=y"]),
        ({"prompt": "/see {question}?"}, ["--prompt", "/see {question}?"]),
        ({"model": "hf://h/d?sig=abc", "clip_model": "https://h/b?sig=abc"}, ["--clip-model", "b"]),
        ({"name": "of https://h/d?x now"}, ["--name", "of https://h/d?x now"]),
        ({"name": "/as/it/is"}, ["--name", "/as/it/is"]),
        ({"prompt": "See http://x/?a: {question}"}, ["--prompt", "See http://x/?a: {question}"]),
    ],
)
def test_what_is_shown_to_others_holds_no_folder_and_no_key_of_this_machine(changes, shown):
    base = {"data": "d.csv", "images": "/pictures", "model": "m", "out": Path("r")}
    words = RunSettings(**(base | changes)).shown()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert ("--images", "IMAGES") in pairs
    for option, value in zip(shown[::2], shown[1::2], strict=True):
        assert (option, value) in pairs
    for secret in ("abc", "word", "mine", "1.2.3.4"):
        assert secret not in " ".join(words)
