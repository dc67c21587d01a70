"""The site of the documents builds without a warning, shows all of them, and loads nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERMINAL = ROOT / "docs/pictures/terminal.svg"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]
mkdocs = pytest.importorskip("material", reason="the extra `docs` is not installed")

from markdown_it import MarkdownIt  # noqa: E402

from docs.site.outside import source_of  # noqa: E402
from evaluator.metrics.registry import METRICS  # noqa: E402


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)]
    built = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-4000:]
    return folder


class Counted(HTMLParser):
    """How many items, rows, blocks and headings a page's article has, and what it loads."""

    def __init__(self, html: str, *, inside: bool) -> None:
        super().__init__()
        self.found: dict[str, int] = {}
        self.loaded: list[str] = []
        self._inside = inside
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag in {"script", "img", "link", "iframe"} and named.get("rel") != "canonical":
            self.loaded += [named[name] for name in ("src", "href") if named.get(name)]
        self._inside = self._inside or tag == "article"
        if self._inside and tag in {"li", "tr", "pre", "h1", "h2", "h3"}:
            self.found[tag] = self.found.get(tag, 0) + 1

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "article"


def test_a_document_reads_on_the_site_as_it_does_where_it_is_kept(site):
    """Markdown has dialects: lists and tables that one of them sees are text to another."""
    plain = MarkdownIt("commonmark").enable("table")
    compared = 0
    for page in site.glob("*.html"):
        source = ROOT / source_of(f"{page.stem}.md")
        if source.is_file():
            there = Counted(plain.render(source.read_text(encoding="utf-8")), inside=True)
            here = Counted(page.read_text(encoding="utf-8"), inside=False)
            assert here.found == there.found, page.name
            compared += 1
    assert compared > 20


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = {
        (page.name, place)
        for page in site.rglob("*.html")
        for place in Counted(page.read_text(encoding="utf-8"), inside=False).loaded
        if re.match(r"(https?:)?//", place)
    }
    assert not loaded
    # Where nothing is beside them that draws them, the theme would fetch it.
    drawn = [page for page in site.rglob("*.html") if 'class="mermaid"' in page.read_text("utf-8")]
    assert all("assets/mermaid.min.js" in page.read_text("utf-8") for page in drawn)


def test_the_reference_has_every_command_metric_event_and_code(site):
    curator = (site / "reference/curator.html").read_text(encoding="utf-8")
    assert 'id="curator-rehearse"' in curator
    assert "--budget-usd" in curator
    assert "<code>--service &lt;gemini|openai&gt;</code>" in curator
    metrics = (site / "reference/metrics.html").read_text(encoding="utf-8")
    assert all(f'id="{name}"' in metrics for name in METRICS)
    events = (site / "reference/events.html").read_text(encoding="utf-8")
    logged = {
        name
        for part in ("curator", "trainer", "evaluator", "shared")
        for module in (ROOT / part).rglob("*.py")
        for name in re.findall(
            r'\blog\.(?:info|warning|error)\(\s*"([a-z_]+)"', module.read_text(encoding="utf-8")
        )
    }
    assert len(logged) > 60
    assert [name for name in logged if f"<code>{name}</code>" not in events] == []
    codes = (site / "reference/exit-codes.html").read_text(encoding="utf-8")
    assert "StoppedForNow" in codes
    functions = (site / "reference/python.html").read_text(encoding="utf-8")
    assert 'id="curator.api.curate"' in functions


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
def test_on_a_phone_the_terminal_on_the_front_page_is_scrolled_and_not_shrunk(site):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto((site / "index.html").as_uri())
        terminal = page.locator("img[src$='terminal.svg']")
        shown = terminal.evaluate("each => [each.width, each.parentElement.clientWidth]")
        whole = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    drawn = float(re.search(r'viewBox="0 0 (\S+)', TERMINAL.read_text(encoding="utf-8"))[1])
    # Letters are drawn 20 px high.
    assert 20 * shown[0] / drawn > 11
    assert shown[1] < whole == 390
