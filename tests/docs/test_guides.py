"""The guides can be followed word for word, with the rehearsal for Gemini and tiny models."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from shared.corpus import read_pairs, write_csv_rows
from shared.dataset.folder import write_dataset
from tests.chat_models import chat_model
from tests.docs.reading import follow
from tests.models import save_tiny_adapter, save_tiny_model
from tests.pictures import draw_gallery, draw_shape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def gemini() -> Iterator[str]:
    words = [sys.executable, "-m", "curator", "rehearse", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        yield json.loads(server.stdout.readline())["base_url"]
        server.terminate()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def catalogue(folder: Path, count: int) -> None:
    """What the reader of the first guide has: a table, its pictures, and twelve keys."""
    rows = []
    for number in range(count):
        colour, shape = draw_shape(folder / f"images/{number:03}.png", number, side=64)
        title = f"{shape.title()} tile"
        rows.append(
            {"id": f"p{number}", "image": f"{number:03}.png", "title": title, "color": colour}
        )
    write_csv_rows(list(rows[0]), rows, folder / "products.csv")
    keys = [f"rehearsal-only-{number:02}" for number in range(12)]
    (folder / "keys.txt").write_text("\n".join(keys) + "\n")


def dataset(folder: Path, count: int) -> None:
    """What the first guide leaves: a data set folder, and its pictures."""
    pairs = draw_gallery(folder / "images", count, [*["train"] * 3, "validation", "test"])
    write_dataset(pairs, folder / "dataset", source={}, split_rule={})


def test_twelve_free_keys_make_a_data_set(tmp_path, gemini):
    catalogue(tmp_path, 12)
    port = str(free_port())
    replaced = {
        # A person sees when it listens.
        "sleep 5": f"until (: < /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.2; done",
        "8089": port,
        "127.0.0.1:8080": f"127.0.0.1:{free_port()}",
    }
    said = follow("twelve-free-keys", tmp_path, replaced, {"GEMINI": gemini})
    assert "12 of 12 images done, 0 given up, 0 waiting" in said
    pairs = read_pairs(tmp_path / "dataset")
    assert len({pair.filename for pair in pairs}) == 12
    assert len(pairs) > 50


def test_one_gpu_makes_two_adapters_and_a_report(tmp_path):
    dataset(tmp_path, 20)
    replaced = {
        "Salesforce/blip-vqa-base": "blip-vqa-tiny",
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": str(chat_model("smolvlm")),
    }
    said = follow("one-gpu", tmp_path, replaced, {})
    assert said.count("held-out exact match") >= 2
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ("base", "adapter", "chat"))


@pytest.mark.ray
def test_a_cluster_takes_the_run_and_the_job(tmp_path):
    shared = tmp_path / "shared"
    dataset(shared, 20)
    model = save_tiny_model(shared / "model")
    save_tiny_adapter(shared / "adapter", model)
    replaced = {
        "/mnt/abo": str(shared),
        "Salesforce/blip-vqa-base": str(model),
        "6379": str(free_port()),
        "8265": str(free_port()),
    }
    # Not under tmp_path: the names of Ray's sockets would get too long.
    with TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        head = Path(folder, "head.pid")
        try:
            said = follow("ray-cluster", tmp_path, replaced, {"RAY_TMPDIR": folder, **token})
        finally:
            if head.exists():
                os.kill(int(head.read_text()), signal.SIGTERM)
    assert "finished" in said
    assert {path.parent.name for path in shared.glob("runs/*/scorecard.json")} == {
        "base",
        "adapter",
    }
