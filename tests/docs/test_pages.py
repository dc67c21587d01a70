"""What the README and the pages beside the guides have typed is done, where this machine can.

``PARSED_ONLY`` in ``written.py`` has what cannot, and why; each other command ends with 0 in a
folder that has what the pages take for granted.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tests.models", reason="the extra `model` is not installed")

from tests.docs.forking import programs_at
from tests.docs.ray_at_hand import free_port
from tests.docs.reading import script_of_page, type_in
from tests.docs.shop import CAMPAIGN, JUDGED, judge, open_shop
from tests.docs.written import PAGES
from tests.fakes.chat_server import ChatServer, completion
from tests.fakes.file_server import serve_folder
from tests.pictures import draw_gallery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("pages")]
TYPED = {
    name: script
    for name, path in PAGES.items()
    if "\n" in (script := script_of_page(path.read_text(encoding="utf-8")))
}
ANSWERING, JUDGE = "Qwen/Qwen2.5-VL-3B-Instruct", "Qwen/Qwen2.5-7B-Instruct"
NOT_YET = {"README": ("abo.db*", "dataset")}
"""What a page makes first."""


def verdict(asked: Mapping[str, Any], _: str) -> tuple[int, Any] | None:
    """Say of each answer that it is right."""
    if asked["model"] != JUDGE:
        return None
    return 200, completion(JUDGE, json.dumps({"verdict": "right"}))


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[dict[str, str]]:
    """Keys, and who is asked: Gemini's rehearsal, a server of models, one of pictures."""
    folder = tmp_path_factory.mktemp("at")
    draw_gallery(folder / "pictures", 4)
    words = [sys.executable, "-m", "curator", "rehearse", "--listen", "127.0.0.1:0", "--json"]
    with (
        programs_at(folder / "programs"),
        serve_folder(folder / "pictures") as pictures,
        ChatServer({ANSWERING: "red", JUDGE: ""}, verdict).serving() as chat,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as gemini,
    ):
        yield {
            "FORKED_AT": str(folder / "programs"),
            "GEMINI": json.loads(gemini.stdout.readline())["base_url"],
            "GEMINI_KEY_LAPTOP": "rehearsal-only-laptop",
            "GEMINI_API_KEYS": "rehearsal-only-1",
            "PICTURES": pictures.url,
            "MODELS": chat.url.removesuffix("/v1"),
        }
        gemini.terminate()


@pytest.fixture(scope="module")
def shop(tmp_path_factory, environment) -> Path:
    """The folder, which each page gets a copy of."""
    folder = open_shop(tmp_path_factory.mktemp("shop"), environment["PICTURES"])
    type_in(CAMPAIGN, folder, {}, environment)
    judge(folder)
    type_in(JUDGED, folder, {}, environment)
    return folder


@pytest.mark.parametrize("name", TYPED)
def test_what_a_page_has_typed_is_done(name, shop, environment, tmp_path):
    folder = shutil.copytree(shop, tmp_path / "shop")
    for made in NOT_YET.get(name, ()):
        for path in folder.glob(made):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    model, own = str(shop / "model"), name == "serve"
    port = str(free_port())
    stands_for = {
        "Salesforce/blip-vqa-base": model,
        "blip-vqa-tiny": model,
        "--model MODEL": f"--model {model}",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{port}" if own else environment["MODELS"],
        ":8000": f":{port}",
        "127.0.0.1 8000": f"127.0.0.1 {port}",
        ":8080": f":{port}",
    }
    script = TYPED[name]
    replaced = {word: other for word, other in stands_for.items() if word in script}
    try:
        said = type_in(script, folder, replaced, environment, 240)
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((folder / "serving.pid").read_text()), signal.SIGINT)
    assert said.count("$ ") >= script.count("\necho '$ ")
