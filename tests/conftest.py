"""What every test run has: no hub, one thread, tiny models, and a line about what skipped."""

from __future__ import annotations

import os

# Before torch and huggingface_hub are imported, here and in the processes that tests start.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from shared.files.cache import CACHE_VARIABLE
from shared.program.stopping import SIGNALS
from shared.records import QAPair
from tests.pictures import draw_gallery

# What tests keep is not kept for the user, nor by the processes that they start.
_CACHE = TemporaryDirectory(prefix="abo-vqa-tests-")
os.environ[CACHE_VARIABLE] = _CACHE.name


# A shell's background job ignores it, and so would all processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    # A busy machine must not decide a test.
    settings.register_profile("no deadline", deadline=None)
    settings.load_profile("no deadline")
    # Known to pytest-xdist alone, which may be switched off.
    config.addinivalue_line("markers", "xdist_group(name): runs in one worker")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what skipped and why, so that nobody takes it for passed."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if reasons:
        listed = "; ".join(f"{count} x {reason}" for reason, count in sorted(reasons.items()))
        terminalreporter.write_line(f"skipped {reasons.total()}: {listed}")


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    """A program that was asked to stop within this process keeps its handlers to the end."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny BLIP; see ``tests.models``."""
    models = pytest.importorskip("tests.models", reason="the extra `model` is not installed")
    return models.save_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_adapter(tiny_model: Path) -> Path:
    """The folder of an adapter for ``tiny_model`` that changes its answers."""
    models = pytest.importorskip("tests.models", reason="the extra `model` is not installed")
    return models.save_tiny_adapter(tiny_model.parent / "adapter", tiny_model)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[QAPair]]:
    """Twenty pictures of shapes in a folder, and two pairs about each, without a split."""
    folder = tmp_path_factory.mktemp("pictures")
    return folder, draw_gallery(folder, 20)
