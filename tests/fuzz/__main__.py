"""Fuzzes what reads a user's files, each for a while: ``python -m tests.fuzz --seconds 60 keys``.

Coverage leads it (atheris, the extra ``fuzz``). It tells how many inputs ran, and ends with 1 where
one broke a reader; that one is kept in the working folder, named ``crash-...``.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final

import typer

from tests.fuzz.targets import TARGETS, Target

_ONE: Final = "--one"
_RUNS: Final = re.compile(r"^Done (\d+) runs|^#(\d+)\s", re.MULTILINE)
_INSTRUMENTED: Final = (
    *("curator.judging.parser", "curator.catalog.rows.delimited", "curator.catalog.rows.head"),
    *("shared.corpus.rows", "shared.corpus.formats.cells", "shared.corpus.formats.json_rows"),
    *("shared.endpoints.keys.key_list",),
)


def main(
    targets: Annotated[list[str] | None, typer.Argument(help="Which; all by default.")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="For each.")] = 60,
) -> None:
    """Fuzz each target in a process of its own, and tell how many inputs ran."""
    broken = []
    for name in targets or TARGETS:
        words = [sys.executable, "-m", "tests.fuzz", _ONE, name, f"-max_total_time={seconds}"]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        counts = [int(done or at) for done, at in _RUNS.findall(ended.stderr)]
        print(f"{name}: {max(counts, default=0):,} inputs, exit {ended.returncode}", flush=True)
        if ended.returncode:
            broken.append(name)
            print(ended.stdout[-2000:], ended.stderr[-2000:], file=sys.stderr, sep="\n")
    raise typer.Exit(int(bool(broken)))


def fuzz(target: Target) -> None:
    """Fuzz one target in this process until it breaks or its time is up; never returns."""
    import atheris  # noqa: PLC0415 - nobody else needs it

    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        for name in _INSTRUMENTED:
            importlib.reload(importlib.import_module(name))
    with TemporaryDirectory() as folder:

        def one(data: bytes) -> None:
            provider = atheris.FuzzedDataProvider(data)
            suffix = provider.PickValueInList(list(target.suffixes))
            if provider.ConsumeBool():
                content = provider.ConsumeBytes(len(data))
            else:
                picks = [
                    provider.ConsumeIntInRange(0, len(target.pieces) - 1)
                    for _ in range(provider.ConsumeIntInRange(0, 60))
                ]
                content = target.content(picks, provider.ConsumeUnicode(200))
            target.check(content, suffix, Path(folder))

        atheris.Setup([sys.argv[0], *sys.argv[3:]], one)
        atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [_ONE]:
        fuzz(TARGETS[sys.argv[2]])
    else:
        typer.run(main)
