"""What a public function raises names arguments, as the command names options."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from curator import curate
from evaluator import compare, evaluate, report, score
from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.program.command_line.as_called import in_its_words, stopped_by_interrupts
from trainer import fit, quantize

MESSAGES = [
    (
        "stopped after step 3; give the same command with --resume to go on",
        "stopped after step 3; give the same call with `resume=True` to go on",
    ),
    ("out: give --retry-keys, or --model NAME", "out: give `retry_keys=True`, or `model` NAME"),
    (
        "mended, `work on ... --retry-keys` brings them back, and `other --model` does not",
        "mended, `function(..., retry_keys=True)` brings them back, and `other --model` does not",
    ),
    ("pip install --upgrade x; --timeout 3", "pip install --upgrade x; `timeout_s` 3"),
    ("a--model, --model-x and --no-resume", "a--model, --model-x and `resume=False`"),
]


@pytest.mark.parametrize(("typed", "called"), MESSAGES)
def test_options_that_are_arguments_are_named_as_such(typed, called):
    @in_its_words("work on", timeout="timeout_s")
    def function(model: str, *, resume: bool = False, retry_keys: bool = False) -> None:
        raise StoppedForNow(typed)

    with pytest.raises(StoppedForNow) as ended:
        function("m")
    assert str(ended.value) == called


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda at: curate(at, at / "l.db", keys=at), "is a folder; `keys` wants a file"),
        (lambda at: curate("hf://a/b", at / "l.db", watch=True), "`watch=True` looks at files"),
        (lambda at: quantize("m", at), "give `budget_mb` or `bits`, and not both"),
        (lambda at: evaluate(at, "blip-vqa-tiny", at, metrics=["nope"]), "`metrics` 'nope'"),
        (lambda at: score(at / "p.csv", metrics=["nope"]), "`metrics` 'nope'"),
    ],
)
def test_what_public_functions_raise_names_their_arguments(tmp_path: Path, call, told):
    with pytest.raises(AboVqaError) as refused:
        call(tmp_path)
    assert told in str(refused.value)
    assert "--" not in str(refused.value)


@pytest.mark.parametrize("function", [curate, evaluate, score, compare, report, fit, quantize])
def test_each_public_function_keeps_its_name_signature_and_errors(function):
    assert inspect.signature(function).parameters
    assert "InputError" in inspect.getdoc(function)
    assert inspect.unwrap(function) is not function


def test_an_error_keeps_its_kind_and_what_else_it_holds():
    class Refused(InputError):
        def __init__(self, reason: str, count: int) -> None:
            super().__init__(reason, count)

    @in_its_words("x")
    def function(out: str) -> None:
        raise Refused(f"--out {out}", 3)

    with pytest.raises(Refused) as refused:
        function("o")
    assert refused.value.args == ("`out` o", 3)


def test_an_interrupt_of_what_is_gone_on_with_is_told_in_one_line():
    @stopped_by_interrupts
    def function() -> None:
        raise KeyboardInterrupt

    with pytest.raises(StoppedForNow, match=r"^interrupted: .* the same call goes on$") as stopped:
        function()
    assert stopped.value.__suppress_context__
