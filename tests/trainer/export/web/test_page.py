"""The page in a browser answers as the bundle does beside onnxruntime, and asks nobody else."""

import base64
import json
import math
import shutil

import pytest
from PIL import ExifTags, Image

from shared.images.decoding import open_image
from shared.onnx_vqa import MANIFEST
from shared.onnx_vqa.runtime import OnnxVqa
from tests.fakes.file_server import serve_folder
from tests.models import QUESTIONS
from trainer.export.web.libraries import NoLibraries, libraries
from trainer.export.web.page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

ASKED = (*QUESTIONS[:2], "who is the constructor")
"""The last word is one that objects of JavaScript have of their own."""

DROPPED = """([name, type, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector("h1").dispatchEvent(drop);
  return drop.defaultPrevented;
}"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("export"),  # its graphs are made once
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm"),
]


@pytest.fixture(params=["float32", "int8"])
def site(request, tmp_path, bundles):
    try:
        brought = libraries(None)
    except NoLibraries as error:
        pytest.skip(f"the npm registry is not reached: {error}")
    folder = tmp_path / "site"
    shutil.copytree(bundles / request.param, folder)
    write_page(folder, brought)
    if request.param == "float32":
        _put_into_a_prompt(folder / MANIFEST)
    return folder


def _put_into_a_prompt(path):
    """As the bundle of a model is that was trained with a prompt."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    prompt = {"before": "green ", "between": [" red "], "after": " ?"}
    said = {"format": 3, "family": "blip", "engine": "onnx", "prompt": prompt}
    path.write_text(json.dumps(manifest | said), encoding="utf-8")


@pytest.fixture
def chosen(tmp_path, pictures):
    """Pictures as a user may have them: as drawn, turned by its camera, on a clear ground."""
    folder, pairs = pictures
    drawn = Image.open(folder / pairs[0].filename).convert("RGB")
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    clear = drawn.resize((90, 61)).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size).point(lambda x: 255 * (x > 99)))
    paths = [tmp_path / name for name in ("drawn.png", "turned.png", "clear.png")]
    drawn.save(paths[0])
    drawn.crop((0, 0, drawn.width, drawn.height // 2)).save(paths[1], exif=turned)
    clear.save(paths[2])
    return paths


def test_the_page_answers_as_the_bundle_does_and_fetches_nothing_from_elsewhere(site, chosen):
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only where it can run)

    model = OnnxVqa(site, threads=1)
    with serve_folder(site) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        elsewhere, errors = [], []
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((server.url, f"blob:{server.url}"))
                else elsewhere.append(request.url)
            ),
        )
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.url)
        page.wait_for_selector("#file:enabled", state="attached")
        for path in chosen:
            page.set_input_files("#file", path)
            page.wait_for_selector("#question:enabled")
            wanted = model.ask(open_image(path), *ASKED)
            for number, (question, answer) in enumerate(zip(ASKED, wanted, strict=True), 1):
                page.fill("#question", question)
                page.press("#question", "Enter")
                row = page.locator(f"#answers li:nth-last-child({number})")
                row.wait_for()
                sure = row.locator("meter").evaluate("meter => meter.value")
                if model.manifest["variant"] == "float32":
                    assert row.locator("b").inner_text() == (answer.text or "(nothing)")
                    assert sure == pytest.approx(answer.confidence, rel=1e-3)
                else:  # Other processors round products in 8 bits otherwise.
                    assert math.log(sure) == pytest.approx(math.log(answer.confidence), rel=0.1)
        site.joinpath("text.txt").write_text("no picture", encoding="utf-8")
        page.set_input_files("#file", site / "text.txt")
        page.wait_for_selector("#trouble:not([hidden])")
        assert "text.txt: not a picture" in page.inner_text("#trouble")
        assert not page.is_enabled("#question")
        assert page.inner_text("#state") == "Choose a picture."
        assert not page.locator("#answers li").count()
        browser.close()
    assert not elsewhere
    assert not errors


@pytest.mark.parametrize("site", ["int8"], indirect=True)
def test_a_picture_dropped_anywhere_while_the_model_loads_is_looked_at(site, chosen):
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (only where it can run)

    content = base64.b64encode(chosen[0].read_bytes()).decode()
    with serve_folder(site) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(server.url, wait_until="domcontentloaded")
        assert not page.is_enabled("#file")
        assert page.evaluate(DROPPED, ["chair.png", "image/png", content])
        page.wait_for_selector("#question:enabled")
        assert page.evaluate(DROPPED, ["note.txt", "text/plain", content[:8]])
        page.wait_for_selector("#trouble:not([hidden])")
        assert "note.txt: not a picture" in page.inner_text("#trouble")
        browser.close()
