"""Help in groups with examples, one spelling for one thing, old ones that still work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
import typer
from typer.core import TyperOption

from shared.program.cli import run_program
from shared.program.command_line.next_step import tell_next, typed

PROGRAMS = ("curator", "trainer", "evaluator")
OLD = ("--base-url", "--annotator", "--in-flight", "--csv", "--input-price", "--host", "--port")


def program(name: str) -> ModuleType:
    return import_module(f"{name}.__main__")


def whole(name: str, command: str) -> Any:
    group = typer.main.get_command(program(name).app)
    return group.commands[command].whole


def commands() -> Iterator[tuple[str, str]]:
    for name in PROGRAMS:
        for command in program(name).COMMANDS:
            yield name, command


def shown(command: Any) -> str:
    return f"{command.get_help(command.context_class(command, info_name='x'))}\n"


@pytest.fixture(scope="module", params=commands(), ids=" ".join)
def command(request) -> tuple[str, str, Any]:
    name, word = request.param
    return name, word, whole(name, word)


def test_every_option_stands_in_a_group_and_none_is_listed_twice(command) -> None:
    name, _, told = command
    groups = program(name).GROUPS
    panels = {f"--{each}": group for group, names in groups.items() for each in names.split()}
    assert len(panels) == sum(len(names.split()) for names in groups.values())
    options = [each for each in told.params if isinstance(each, TyperOption) and not each.hidden]
    left = {option.opts[0] for option in options} - panels.keys()
    assert left <= {"--verbose", "-v", "--version"}
    assert all(f"{old} " not in shown(told) for old in OLD)


def test_every_command_has_examples_that_it_takes(command) -> None:
    name, word, told = command
    examples = program(name).EXAMPLES[word]
    assert examples
    assert f"\n  {examples[0]}\n" in shown(told)
    for example in examples:
        program_word, command_word, *words = shlex.split(example.partition(" > ")[0])
        assert (program_word, command_word) == (name, word)
        told.make_parser(told.context_class(told)).parse_args(words)


def test_version_and_verbosity_are_everywhere(command) -> None:
    _, _, told = command
    spelt = {spelling for each in told.params for spelling in each.opts}
    assert {"--version", "-v", "--verbose"} <= spelt


@pytest.mark.parametrize(
    ("name", "word", "once", "now"),
    [
        ("curator", "view", ["a.db", "--listen", ":0"], {"ledger": "a.db"}),
        ("curator", "repair", ["a.db", "--to", "b.db"], {"ledger": "a.db", "out": "b.db"}),
        ("curator", "fetch", ["t.csv", "--to", "p"], {"catalog": "t.csv", "out": "p"}),
        ("curator", "dataset", ["--out", "d", "p.csv"], {"data": "p.csv", "out": "d"}),
        ("curator", "keys", ["--base-url", "u", "--annotator", "openai"], {"endpoint": "u"}),
        ("trainer", "fuse", ["a", "--out", "o", "--", "b"], {"adapter": ["a", "b"], "out": "o"}),
        ("trainer", "merge", ["a", "--out=o"], {"adapter": "a", "out": "o"}),
        ("trainer", "export", ["a", "--out", "o", "--questions", "3"], {"sample": 3}),
        ("evaluator", "check", ["d", "--json"], {"data": "d", "as_json": True}),
        ("evaluator", "unpack", ["a", "b", "--out", "o"], {"data": ["a", "b"]}),
        ("evaluator", "predict", ["--csv", "q.csv", "--in-flight", "3"], {"data": "q.csv"}),
        ("evaluator", "serve", ["--host", "::1", "--port", "3"], {"host": "::1", "port": 3}),
    ],
)
def test_the_first_release_s_spellings_still_work(name, word, once, now) -> None:
    with whole(name, word).make_context(word, list(once)) as context:
        taken = {key: context.params[key] for key in now}
    plain = {k: [*map(str, v)] if isinstance(v, (list, tuple)) else v for k, v in taken.items()}
    assert {k: str(v) for k, v in plain.items()} == {k: str(v) for k, v in now.items()}


def test_the_next_command_is_the_last_line_of_standard_error_alone(capsys) -> None:
    print("the result")
    tell_next("curator", "export", "--ledger", "my chairs.db")
    told = capsys.readouterr()
    assert told.out == "the result\n"
    assert told.err == "next: curator export --ledger 'my chairs.db'\n"
    assert shlex.split(typed("a b", "c'd")) == ["a b", "c'd"]


def test_more_is_told_with_v_and_no_secret(capsys, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ABO_VQA_VERBOSE", "")
    monkeypatch.setenv("CURATOR_STATUS_TOKEN", "a-token-of-thirty-two-letters-it-is")
    told = whole("curator", "view")
    words = ["-v", "--ledger", str(tmp_path / "none.db"), "--listen", "127.0.0.1:0"]
    with told.make_context("view", words) as context, pytest.raises(Exception, match="no such"):
        told.invoke(context)
    lines = capsys.readouterr().err.splitlines()
    assert "--listen: 127.0.0.1:0 (typed)" in lines
    assert "--token: *** (environment)" in lines
    assert not any(line.startswith("--images") for line in lines)


def test_what_is_typed_comes_before_the_environment(monkeypatch) -> None:
    monkeypatch.setenv("CURATOR_STATUS_TOKEN", "of-the-environment")
    words = ["--ledger", "a.db"]
    with whole("curator", "view").make_context("view", [*words]) as context:
        assert context.params["token"] == "of-the-environment"
    with whole("curator", "view").make_context("view", [*words, "--token", "typed"]) as context:
        assert context.params["token"] == "typed"


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_in_words_and_a_near_option_is_named(name, capsys) -> None:
    module = program(name)
    with pytest.raises(SystemExit):
        run_program(module.app, name, ["-h"])
    told = " ".join(capsys.readouterr().out.split())
    assert all(command.summary in told for command in module.COMMANDS.values())
    word = {"curator": "run", "evaluator": "run", "trainer": "export"}[name]
    with pytest.raises(SystemExit):
        run_program(module.app, name, [word, "-h"])
    told = capsys.readouterr().out
    assert "<text>" in told
    assert "<number>" in told
    assert not re.search(r"<(str|int|float|list|Path)\b", told)
    with pytest.raises(SystemExit):
        run_program(module.app, name, [word, "--modle", "x"])
    assert "No such option: --modle; did you mean --model?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["evaluator", "compare", "s3://a/b", "runs/c"], "runs s3://a/b"),
        (["evaluator", "report", "runs/c", "--out", "gs://a/r.html"], "--out gs://a/r.html"),
        (["curator", "dataset", "--data", "a.csv", "--out", "s3://a/b"], "--out s3://a/b"),
        (["trainer", "merge", "adapter", "--out", "s3://a/b"], "--out s3://a/b"),
    ],
)
def test_a_url_for_what_is_a_path_is_named_before_anything_is_written(
    words, named, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run_program(program(words[0]).app, words[0], words[1:])
    assert ended.value.code == 2
    assert f"{words[0]}: {named}: a URL; give a file or folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
