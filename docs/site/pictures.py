"""Renews the pictures of the front page from the output of ``make demo``.

    python -m docs.site.pictures demo-run

Pages are those that the programs serve, seen in Chromium; the terminal is what commands printed.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from shared.demo import MODELS, QUESTIONS

PICTURES: Final = Path(__file__).parents[1] / "pictures"
COLUMNS: Final = 96
_WITHOUT_FONTS: Final = re.sub(
    r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL
)
"""Rich's own form names fonts that a browser would fetch."""
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+\S*?(?=[\s'\",]|$)")
_COLOURS: Final = 256


def main(demo: Path) -> None:
    """Draw all pictures out of the folder that the demo wrote."""
    PICTURES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as made:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        said = _campaign(browser, demo, Path(made))
        with _serving(
            ["curator", "review", "campaign.sqlite", "--listen", "127.0.0.1:0"], demo
        ) as at:
            _shoot(browser, at, "review", _begin)
        report = (demo / "report.html").resolve().as_uri()
        _shoot(browser, report, "report")
        _shoot(browser, report, "report-long", height=1800)
        browser.close()
    compared = _printed(
        ["evaluator", "compare", "base", "adapted", "--metrics", "exact_match"], demo
    )
    _record([*said, *compared])


def _campaign(browser: Browser, demo: Path, made: Path) -> list[str]:
    """Run the demo's campaign anew, look at its page half-way, and return what it printed."""
    rehearse = [
        "curator",
        "rehearse",
        "--script",
        "rehearsal.toml",
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]
    rehearse += ["--cache", str(made / "index")]
    with _started(rehearse, demo) as gemini:
        assert gemini.stdout is not None
        base_url = json.loads(gemini.stdout.readline())["base_url"]
        shown = ["curator", "run", "--catalog", "catalogue.csv", "--images", "images"]
        shown += ["--keys", "keys.toml", "--ledger", "campaign.db"]
        shown += [word for model in MODELS for word in ("--model", model)]
        real = [str(made / "campaign.db") if word == "campaign.db" else word for word in shown]
        real[real.index("images")] = _images(demo)
        real += ["--endpoint", base_url, "--questions", str(QUESTIONS), "--status", "127.0.0.1:0"]
        # Slowly, so that there is something to look at.
        real += ["--concurrency", "4"]
        with _started(real, demo, stderr=subprocess.STDOUT) as run:
            assert run.stdout is not None
            lines: list[str] = []
            for line in run.stdout:
                lines.append(line.rstrip())
                if "status_page" in line and (address := _ADDRESS.search(line)):
                    _shoot(browser, address[0], "status", wait_ms=25_000)
    kept = [line for line in lines if "removing from pool" in line or "images done" in line]
    return [
        *f"$ {' '.join(shown[:8])} \\\n    {' '.join(shown[8:])}".splitlines(),
        *(_plain(line) for line in kept),
    ]


def _plain(line: str) -> str:
    """Return a line of the log without its time and the module that told it."""
    return re.sub(r"^\S+Z \[\w+ *\] | \[[\w.]+\]$", "", line)


def _images(demo: Path) -> str:
    script = (demo / "rehearsal.toml").read_text(encoding="utf-8")
    named = re.search(r'^images = "(.+)"$', script, re.MULTILINE)
    assert named is not None
    return named[1]


def _printed(words: Sequence[str], demo: Path) -> list[str]:
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    ended = subprocess.run(
        [sys.executable, "-m", *words], cwd=demo, env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return ["", f"$ {' '.join(words)}", *ended.stdout.rstrip().splitlines()]


def _record(lines: Sequence[str]) -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        style = "bold green" if line.startswith("$ ") else ""
        console.print(Text.from_ansi(line, style=style))
    svg = console.export_svg(title="abo-vqa", code_format=_WITHOUT_FONTS, unique_id="recorded")
    (PICTURES / "terminal.svg").write_text(svg, encoding="utf-8")


def _begin(page: Page) -> None:
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Begin").click()


def _shoot(
    browser: Browser,
    address: str,
    name: str,
    first: Callable[[Page], None] = lambda _page: None,
    *,
    wait_ms: int = 1500,
    height: int = 800,
) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": height})
    page.goto(address)
    first(page)
    page.wait_for_timeout(wait_ms)
    picture = Image.open(io.BytesIO(page.screenshot()))
    # A palette is a third of the bytes; by median cut it loses small patches, such as a legend's.
    palette = picture.convert("RGB").quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
    palette.save(PICTURES / f"{name}.png", optimize=True)
    page.close()


@contextmanager
def _serving(words: Sequence[str], folder: Path) -> Iterator[str]:
    """Start a command that serves a page; yield the page's address."""
    with _started(words, folder, stderr=subprocess.STDOUT) as server:
        assert server.stdout is not None
        said = ""
        while not (address := _ADDRESS.search(said)):
            line = server.stdout.readline()
            assert line, said
            said += line
        yield address[0]


@contextmanager
def _started(
    words: Sequence[str], folder: Path, stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    module = [sys.executable, "-m", *words]
    with subprocess.Popen(
        module, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
