"""One logger in all parts, and events with constant names in snake_case."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from shared.program.reporting.event_log import EventLog

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for part in ("curator", "evaluator", "shared", "trainer")
    for path in (ROOT / part).rglob("*.py")
)
SETS_IT_UP = {
    f"shared/program/reporting/{name}.py" for name in ("event_log", "events", "plain_structlog")
}
LEVELS = ("debug", "info", "warning", "error")
LOGGING = {f"{log}.{level}" for log in ("log", "self._log") for level in LEVELS}
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OF_SINGLE_ITEMS = "curator/campaign/item_log.py"
PROMISED = {
    "removal_line(key, refusal)",
    "'All API keys exhausted'",
}
"""Lines that are promised word for word."""


def nodes(kind: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    for path in FILES:
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind) and name not in SETS_IT_UP:
                yield name, node


def events() -> Iterator[tuple[str, ast.expr]]:
    for name, call in nodes(ast.Call):
        assert isinstance(call, ast.Call)
        if ast.unparse(call.func) in LOGGING:
            yield f"{name}:{call.lineno}", call.args[0]


def test_every_event_has_a_constant_name_in_snake_case():
    told = list(events())
    assert len(told) > 60
    odd = {
        where: ast.unparse(event)
        for where, event in told
        if not (isinstance(event, ast.Constant) and SNAKE.fullmatch(str(event.value)))
    }
    assert set(odd.values()) == PROMISED, odd


def test_only_the_event_log_knows_structlog_and_every_module_calls_its_own_log():
    imports = [
        name
        for kind in (ast.Import, ast.ImportFrom)
        for name, node in nodes(kind)
        if "structlog" in ast.unparse(node)
    ]
    assert imports == []
    lines = {
        (name, ast.unparse(node))
        for name, node in nodes(ast.Assign)
        if "EventLog" in ast.unparse(node)
    }
    assert {line for name, line in lines if name != OF_SINGLE_ITEMS} == {"log = EventLog(__name__)"}


@pytest.mark.parametrize("level", LEVELS)
def test_an_event_reaches_structlog_with_its_level_and_fields(level):
    # A command that ran in this process before may have set the level.
    structlog.reset_defaults()
    with capture_logs() as heard:
        getattr(EventLog("curator.test"), level)("pot_boiled", pot="red")
    assert heard == [{"event": "pot_boiled", "pot": "red", "log_level": level}]
