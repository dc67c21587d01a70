"""The report page: complete in itself, and working in a browser."""

import re
import shutil
from html.parser import HTMLParser

import pytest

from evaluator.report.dot_plot import LEFT, RIGHT, WIDTH, dot_plot
from evaluator.report.page import write_report
from shared.errors import InputError
from tests.evaluator.predictions import predicted
from tests.evaluator.runs import answers, draw_images, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "img", "input", "br", "line", "rect", "circle", "path"}


class Outline(HTMLParser):
    """Collects tags and checks that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture
def runs(tmp_path):
    draw_images(tmp_path / "images", 24)
    base = make_run(tmp_path / "base", answers(24, wrong=range(12)), images=tmp_path / "images")
    tuned = make_run(tmp_path / "tuned", answers(24, wrong=[6, 7, 20]))
    return [base, tuned]


@pytest.fixture
def page(runs, tmp_path):
    write_report(runs, tmp_path / "report.html", images=None)
    return tmp_path / "report.html"


def outline_of(text: str) -> Outline:
    outline = Outline()
    outline.feed(text)
    assert outline.open == []
    return outline


def test_the_page_nests_and_asks_the_network_for_nothing(page):
    text = page.read_text(encoding="utf-8")
    outline = outline_of(text)
    for _, attributes in outline.attributes:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:", "#"))
    assert not re.search(r"https?://|url\(|@import", text)


def test_the_page_is_accessible_in_its_structure(page):
    outline = outline_of(page.read_text(encoding="utf-8"))
    assert outline.of("html") == [{"lang": "en"}]
    assert len(outline.of("h1")) == 1
    assert len(outline.of("caption")) == len(outline.of("table")) == 4
    assert all(image["alt"] for image in outline.of("img"))
    assert len(outline.of("img")) == 24
    assert all(head["scope"] in {"row", "col"} for head in outline.of("th"))


def test_the_page_shows_scores_prior_and_provenance(page):
    text = page.read_text(encoding="utf-8")
    assert "question-only prior" in text
    assert "tuned gets 37.5 points (95 % interval " in text
    assert "87.5" in text
    assert "a &lt;model&gt; &amp; more" in text
    assert "<model>" not in text


def test_a_single_run_without_pictures_or_prior_has_a_page(tmp_path):
    run = make_run(tmp_path / "only", answers(3, wrong=[1]), train=None)
    write_report([run], tmp_path / "report.html", images=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no picture to show" in text
    assert "question-only prior" not in text
    assert "Fixed" not in text
    outline_of(text)


def test_runs_without_common_questions_have_a_page(tmp_path):
    one = make_run(tmp_path / "one", [predicted("a", "a", image="1.jpg")])
    two = make_run(tmp_path / "two", [predicted("a", "a", image="2.jpg")])
    write_report([one, two], tmp_path / "report.html", images=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no question in common" in text
    outline_of(text)


def test_a_missing_image_folder_is_refused_and_nothing_written(runs, tmp_path):
    with pytest.raises(InputError, match="no such image folder; name it with --images"):
        write_report(runs, tmp_path / "report.html", images=tmp_path / "nowhere")
    assert not (tmp_path / "report.html").exists()


def test_marks_lie_on_the_axis_where_their_figures_say(runs):
    plot = dot_plot("exact_match", [(run.name, run.scorecard.scores) for run in runs])
    for band in plot.bands:
        for dot in band.dots:
            share = (dot.x - LEFT) / (WIDTH - LEFT - RIGHT)
            assert share == pytest.approx(dot.figure.mean, abs=1e-3)
            assert dot.low_x <= dot.x <= dot.high_x
            assert band.top < dot.y < band.top + band.height


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")
def test_the_page_works_in_a_browser(page):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    complaints: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:"))
                else complaints.append(request.url)
            ),
        )
        tab.goto(page.as_uri())
        cards, shown = tab.locator(".card:visible"), tab.locator("#shown")
        assert cards.count() == 24
        loaded = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
        assert tab.evaluate(loaded)

        # By keyboard alone: into the group of outcomes, one to the right.
        tab.locator("input[name=outcome]").first.focus()
        tab.keyboard.press("ArrowRight")
        assert shown.text_content() == "10 pictures"
        assert tab.locator(".card.fixed:visible").count() == cards.count() == 10

        tab.get_by_role("searchbox").fill("RED color")
        assert cards.count() == 0
        assert tab.locator("#nothing").is_visible()
        tab.get_by_role("button", name="Show all").click()
        assert cards.count() == 24

        tab.get_by_role("searchbox").fill("blue round")
        assert shown.text_content() == "6 pictures"

        # Nothing runs off a telephone's screen.
        tab.set_viewport_size({"width": 390, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        browser.close()
    assert complaints == []
