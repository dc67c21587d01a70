"""The report page: complete in itself, and working in a browser."""

import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from evaluator.__main__ import app
from evaluator.reporting.charts.dot_plot import LEFT, RIGHT, WIDTH, dot_plot
from evaluator.reporting.gallery import LIMIT
from evaluator.reporting.page import write_report
from evaluator.runs.record import EvaluationRecord
from evaluator.runs.settings import RunSettings
from shared.errors import InputError
from shared.program.cli import run_program
from shared.records.boxes import Box
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import answers, draw_images, make_run
from tests.fakes.file_server import serve_folder

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "input", "br"}


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

    def handle_startendtag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))

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


def test_boxes_are_drawn_over_the_heat_map(tmp_path):
    draw_images(tmp_path / "images", 2)
    rows = answers(2, wrong=[])
    boxed = replace(rows[0].pair, boxes=(Box(0.25, 0.5, 0.75, 1), Box(0, 0, 0.1, 0.2)))
    run = make_run(tmp_path / "run", [replace(rows[0], pair=boxed), rows[1]])
    write_report([run], tmp_path / "report.html", images=str(tmp_path / "images"))
    page = outline_of((tmp_path / "report.html").read_text(encoding="utf-8"))
    drawn = [rect for rect in page.of("rect") if rect.get("class") == "box"]
    assert [(r["x"], r["y"], float(r["width"]), float(r["height"])) for r in drawn] == [
        ("0.25", "0.5", 0.5, 0.5),
        ("0.0", "0.0", 0.1, 0.2),
    ]
    assert "Green frames are the boxes" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_is_accessible_in_its_structure(page):
    outline = outline_of(page.read_text(encoding="utf-8"))
    assert outline.of("html") == [{"lang": "en"}]
    assert len(outline.of("h1")) == 1
    assert len(outline.of("caption")) == len(outline.of("table")) >= 8
    drawings = [svg for svg in outline.of("svg") if svg.get("aria-hidden") != "true"]
    assert all(svg["role"] == "img" for svg in drawings)
    assert all(svg.get("aria-label") or svg.get("aria-labelledby") for svg in drawings)
    assert sum("asked about" in svg.get("aria-label", "") for svg in drawings) == 24
    assert sum("looked" in svg.get("aria-label", "") for svg in drawings) == 48
    named = {attributes.get("id") for _, attributes in outline.attributes}
    for _, attributes in outline.attributes:
        assert set((attributes.get("aria-labelledby") or "").split()) <= named
    assert all(head["scope"] in {"row", "col"} for head in outline.of("th"))


def test_the_page_shows_scores_prior_and_provenance(page):
    text = page.read_text(encoding="utf-8")
    assert "question-only prior" in text
    assert "“tuned” gets 37.5 points (95\u00a0% interval " in text
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


def test_pictures_behind_a_url_are_shown_like_those_of_a_folder(runs, page, tmp_path):
    with serve_folder(tmp_path / "images") as server:
        write_report(runs, tmp_path / "url.html", images=server.url)
    # Inside the run's settings, which the page shows, no place differs.
    assert (tmp_path / "url.html").read_bytes() == page.read_bytes()


def test_a_missing_image_folder_is_refused_and_nothing_written(runs, tmp_path):
    with pytest.raises(InputError, match=r"--images .*nowhere: no such folder"):
        write_report(runs, tmp_path / "report.html", images=str(tmp_path / "nowhere"))
    assert not (tmp_path / "report.html").exists()


def test_marks_lie_on_the_axis_where_their_figures_say(runs):
    groups = [(run.name, run.scorecard.scores.by_question_type) for run in runs]
    plot = dot_plot("exact_match", groups)
    for band in plot.bands:
        for dot in band.dots:
            share = (dot.x - LEFT) / (WIDTH - LEFT - RIGHT)
            assert share == pytest.approx(dot.figure.mean, abs=1e-3)
            assert dot.low_x <= dot.x <= dot.high_x
            assert band.top < dot.y < band.top + band.height


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium on the path")


@contextmanager
def opened(page):
    """Yield a tab that shows a page from disk, and what it complains of or asks the network for."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    complaints: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:"))
                else complaints.append(request.url)
            ),
        )
        tab.goto(page.as_uri())
        yield tab, complaints
        browser.close()


@needs_chromium
def test_the_page_works_in_a_browser(page):
    with opened(page) as (tab, complaints):
        cards, shown = tab.locator(".card:visible"), tab.locator("#shown")
        assert cards.count() == 24
        heat = tab.locator(".heat").first
        assert heat.bounding_box()["width"] > 50

        # By keyboard alone: into the group of outcomes, one to the right.
        tab.locator("input[name=outcome]").first.focus()
        tab.keyboard.press("ArrowRight")
        assert shown.text_content() == "10 questions"
        assert tab.locator(".card.fixed:visible").count() == cards.count() == 10

        tab.get_by_role("searchbox").fill("RED color")
        assert cards.count() == 0
        assert tab.locator("#nothing").is_visible()
        tab.get_by_role("button", name="Show all").click()
        assert cards.count() == 24

        tab.get_by_role("searchbox").fill("blue round")
        assert shown.text_content() == "6 questions"

        # Nothing runs off a telephone's screen.
        tab.set_viewport_size({"width": 390, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert complaints == []


@pytest.mark.slow
@needs_chromium
def test_the_rest_is_searched_from_disk_and_nothing_in_it_is_believed(tmp_path):
    draw_images(tmp_path / "images", 300)
    rows = answers(300, wrong=range(0, 300, 3))
    for index in range(0, 300, 7):
        evil = f"</script><img src=x onerror=alert({index})>"
        pair = replace(rows[index].pair, question=f"{evil} what color is it")
        rows[index] = replace(rows[index], pair=pair, answer=evil)
    run = make_run(tmp_path / "run", rows, images=tmp_path / "images")
    page = tmp_path / "a page.html"
    write_report([run], page, images=None)
    assert (tmp_path / "a page_files" / "cards-001.js").is_file()
    with opened(page) as (tab, complaints):
        shown = tab.locator("#shown")
        assert tab.locator(".card:visible").count() == LIMIT
        assert shown.text_content() == f"{LIMIT} questions"
        load = tab.get_by_role("button", name="Search the other 100 questions too")
        load.focus()
        tab.keyboard.press("Enter")
        load.wait_for(state="hidden")
        assert shown.text_content() == "300 questions, 200 shown"
        tab.get_by_role("button", name="Show more").click()
        assert tab.locator(".card:visible").count() == 300
        pictures = tab.locator(".picture image")
        assert pictures.count() == 300
        # Every one of them is a file that is there.
        hrefs = pictures.evaluate_all("all => all.map(i => i.getAttribute('href'))")
        beside = [h for h in hrefs if not h.startswith("data:")]
        assert len(beside) == 100
        assert all((tmp_path / unquote(href)).is_file() for href in beside)

        tab.get_by_role("combobox", name="Type").select_option("yes/no")
        kinds = tab.locator(".card:visible").evaluate_all("all => all.map(c => c.dataset.type)")
        assert set(kinds) == {"yes/no"}
        tab.get_by_role("combobox", name="Type").select_option("")
        tab.get_by_role("searchbox").fill("onerror=alert(7)")
        assert shown.text_content() == "1 question"
        assert "<img src=x onerror=alert(7)>" in tab.locator(".card:visible h3").text_content()
        assert tab.locator("img").count() == 0
    assert complaints == []


def test_a_report_replaces_its_own_folder_and_no_other(tmp_path):
    many = make_run(tmp_path / "many", answers(LIMIT + 1, wrong=[]))
    few = make_run(tmp_path / "few", answers(3, wrong=[]))
    page, beside = tmp_path / "report.html", tmp_path / "report_files"
    write_report([many], page, images=None)
    assert beside.is_dir()
    write_report([many], page, images=None)
    write_report([few], page, images=None)
    assert not beside.exists()
    beside.mkdir()
    (beside / "mine.txt").write_text("keep")
    page.unlink()
    with pytest.raises(InputError, match="in the way of the report's examples"):
        write_report([many], page, images=None)
    assert [p.name for p in beside.iterdir()] == ["mine.txt"]
    assert not page.exists()
    write_report([many], page, images=None, with_rest=False)
    assert page.exists()
    assert not list(tmp_path.glob(".report*"))


def test_published_figures_stand_beside_the_model_they_are_of(tmp_path):
    run = make_run(tmp_path / "base", answers(4, wrong=[1]), model="Salesforce/blip-vqa-base")
    write_report([run], tmp_path / "report.html", images=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "published: BLIP with LoRA" in text
    assert "59.3" in text
    assert "ViLT" not in text


def test_runs_on_other_data_say_why_they_are_not_compared(tmp_path):
    one = make_run(tmp_path / "one", answers(8, wrong=[1]))
    two = make_run(tmp_path / "two", answers(6, wrong=[1]))
    write_report([one, two], tmp_path / "report.html", images=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "one and two answer different data" in text


def test_the_page_says_which_command_makes_the_run_again(tmp_path):
    run = make_run(tmp_path / "base", answers(4, wrong=[1]))
    settings = RunSettings(
        data="/somewhere/of mine/vqa.csv",
        images="/somewhere/pictures",
        model="blip-vqa-tiny",
        out=Path("/somewhere/run"),
        adapter=("lamps=/somewhere/lamps",),
        quantize="none",
        prompt="/answer/ http://x/?a {question}",
        shuffle_sample=20,
    )
    record = EvaluationRecord(
        command="evaluator run",
        data=settings.data,
        model="/somewhere/blip",
        prompt=settings.prompt,
        adapters={"lamps": {"folder": "/somewhere/lamps", "sha256": "0", "questions_sha256": "1"}},
        settings=settings,
    )
    write_report([replace(run, record=record)], tmp_path / "report.html", images=None)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        "evaluator run --data vqa.csv --out RUN --model blip-vqa-tiny --images IMAGES "
        "--adapter lamps=lamps --quantize none "
        "--prompt &#39;/answer/ http://x/?a {question}&#39; --shuffle-sample 20"
    ) in text
    assert "<td>vqa.csv</td>" in text
    assert "<td>/answer/ http://x/?a {question}</td>" in text
    assert "somewhere" not in text


@pytest.mark.parametrize(
    "query", ["?X-Amz-Signature=0ae1f&X-Amz-Date=1", "?sig=0ae1f", "?token=0ae1f/b.csv", "#0ae1f"]
)
def test_no_signed_url_shows_its_query(tmp_path, query):
    place = f"https://example.com/of/vqa.csv{query}"
    run = make_run(tmp_path / "base", answers(4, wrong=[1]), model=f"of {place} alone")
    settings = RunSettings(data=place, images=place, model=place, out=Path("r"))
    records = [
        EvaluationRecord(command="evaluator run", data=place, images=place, settings=settings),
        EvaluationRecord(
            command="evaluator run", data=place, arguments=("--data", place, f"--x={place}")
        ),
    ]
    for record in records:
        write_report([replace(run, record=record)], tmp_path / "report.html", images=str(tmp_path))
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "--data vqa.csv" in text
        assert "0ae1f" not in text


def test_a_page_alone_has_no_opposite(tmp_path, capsys):
    make_run(tmp_path / "base", answers(40, wrong=[1]))
    page = tmp_path / "report.html"
    command = ["report", str(tmp_path / "base"), "--out", str(page)]
    for option, code in (("--page-only", 0), ("--no-page-only", 2)):
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "evaluator", [*command, option])
        assert leaving.value.code == code
    assert "No such option: --no-page-only" in capsys.readouterr().err


def test_texts_of_any_length_leave_a_page_that_opens(tmp_path):
    """As where a model repeats itself, or a column holds whole documents."""
    rows = [replace(row, answer="red " * 250_000) for row in answers(3, wrong=[])]
    rows = [
        replace(row, pair=replace(row.pair, answer=f"{row.answer} {row.pair.id}")) for row in rows
    ]
    run = make_run(tmp_path / "run", rows)
    write_report([run], tmp_path / "report.html", images=None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(page) < 500_000
    assert re.search(r"\(99\d,\d{3} more characters\)", page)
