"""What the README and the pages beside the guides have a reader type, and what of it no test types.

A block is a shell's where its first line calls a program; each command of it is typed by
``test_pages.py`` or stands in ``PARSED_ONLY`` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[2]
PAGES: Final = {
    path.stem: path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}

_CALLED: Final = re.compile(
    r"(curator|trainer|evaluator|pip3?|python3?|make|ray|docker|kubectl|sqlite3|curl|git|cp|mkdir|export"
    r"|(?!.* = )[A-Z_]+=\S+)(?= )"
)

GPU: Final = "needs cards"
HUB: Final = "asks a hub, which tests/fakes plays in the tests of the command"
CLOUD: Final = "needs a cloud, a registry or an operator"
INTERNET: Final = "brings something from the internet"
RAY: Final = "starts Ray and its replicas, for seconds each; guides/one-gpu.md has its like typed"
MINUTES: Final = "takes minutes, and is a target or a bench of its own"
CONVERTER: Final = "needs a converter that is not installed with the rest"
TRAINED: Final = "needs two finished trainings, of a domain each; tests/trainer has its like"
EXPORTS: Final = "needs an export, which takes long; tests/trainer/export has its like"
TRAINS: Final = "trains for long; guides/one-gpu.md and the demo have their like typed"
SEARCHES: Final = "searches for tens of seconds; tests/trainer/quantizing has its like"
ASKING: Final = (
    "needs a server that makes up questions; tests/fakes/openai_server.py plays it for tests"
)

PARSED_ONLY: Final = {
    r"make (install|demo|test)\b": MINUTES,
    r"python -m tests\.bench": MINUTES,
    r"(python3? -m venv|pip install|pip wheel)\b": INTERNET,
    r"mkdir abo && cd abo$|for part in listings|cd \.\.$": INTERNET,
    r"curator (run|export) .*(hf://|--push)": HUB,
    r"(trainer|evaluator) push\b": HUB,
    r"ray |kubectl |docker ": CLOUD,
    r"trainer fit .*--devices 2": GPU,
    r"curator run .*--service openai": ASKING,
    r"evaluator run (?!.*--endpoint|.*--service gemini)": RAY,
    r"trainer sweep": RAY,
    r"trainer export .*--to (litert|openvino)": CONVERTER,
    r"trainer export": EXPORTS,
    r"python exported/|python -m http.server|evaluator predict --model exported": EXPORTS,
    r"trainer (fit recipe.toml( --set epochs.*| --resume)?|merge)": TRAINS,
    r"trainer pretrain": MINUTES,
    r"trainer fuse": TRAINED,
    r"trainer quantize": SEARCHES,
}
"""Which commands are parsed and not typed, by how they begin or what they say, and why."""


def blocks(document: str) -> list[str]:
    """Return the indented code blocks, without their indent."""
    indented = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", document, re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip() for block in indented]


def commands(document: str) -> Iterator[str]:
    """Yield what is typed: a line, or several that a backslash or a loop joins."""
    for block in blocks(document):
        if _CALLED.match(block):
            looped = ""
            for line in block.replace("\\\n", " ").splitlines():
                looped += line + "\n"
                if not looped.startswith("for ") or line == "done":
                    if looped.strip():
                        yield re.sub(r" +", " ", looped.strip())
                    looped = ""


def reason_not_to_type(command: str) -> str | None:
    """Return why a command is parsed and no more, or ``None``."""
    return next((why for how, why in PARSED_ONLY.items() if re.match(how, command)), None)
