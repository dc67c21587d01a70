"""The whole line on this machine, without key, GPU or hub: curate, train, evaluate, report.

Runs the three programs as a user would, one command after the other. The pictures and questions
are easy-VQA's, Gemini is played by ``curator rehearse`` over HTTP, the base is blip-vqa-tiny. Knows
the programs by their command lines alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.request import urlopen

import typer
from rich.console import Console

from shared.corpus import write_csv_rows, write_pairs
from shared.errors import EXIT_DONE, EXIT_STOPPED_FOR_NOW, AboVqaError, InputError
from shared.program.cli import run_program
from shared.program.clock import stopwatch
from shared.program.stopping import interrupt_once, signals_held
from shared.records import QAPair, pair_id

IMAGES: Final = 400
QUESTIONS: Final = 10
KEYS: Final = 12
INVALID_KEYS: Final = (3, 8)
DRY_KEYS: Final = (1, 5, 10)
DRY_REQUESTS_A_DAY: Final = 12
PREFERRED, SUCCESSOR = MODELS = ("gemini-3.6-flash", "gemini-3.5-flash-lite")
LATENCY_MS: Final = 400

_RUNNING: Final[list[subprocess.Popen[str]]] = []
"""The programs at work; a second signal ends them with the demo, which it finds waiting for one."""

Words = Sequence[str | Path]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


class StageFailed(AboVqaError):
    """A program of the line ended with an exit code that it should not have."""


@contextmanager
def stage(title: str) -> Iterator[None]:
    """Say what starts, and how long it took."""
    console.rule(f"[bold]{title}")
    started = stopwatch()
    yield
    console.print(f"[green]{title}: done in {stopwatch() - started:.0f} s")


def run(command: Words) -> None:
    """Run one of the programs to its end, its output passing through.

    Raises:
        StageFailed: it did not end with exit code 0.
    """
    with _running(command) as process:
        code = process.wait()
    if code != EXIT_DONE:
        raise StageFailed(f"`{command[0]} {command[1]}` ended with exit code {code}")


@contextmanager
def _running(command: Words, stdout: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start the program of this Python's environment, and show how one would type it.

    Where the block raises, the program is asked to stop; at the end it is waited for.
    """
    words = [str(word) for word in command]
    console.print(f"[dim]$ {' '.join(words)}", highlight=False, soft_wrap=True)
    module = [sys.executable, "-m", *words]
    process: subprocess.Popen[str] | None = None
    try:
        # A signal that broke into the start would leave a program that nobody knows.
        with signals_held():
            process = subprocess.Popen(module, stdout=stdout, text=True)  # noqa: S603
            _RUNNING.append(process)
        yield process
    except BaseException:
        if process is not None:
            process.terminate()
        raise
    finally:
        if process is not None:
            with process:
                process.wait()
            _RUNNING.remove(process)


def _kill_running() -> None:
    """End the programs at work at once; they keep what they made whole, as at any crash."""
    for process in _RUNNING:
        # Not by `wait`, whose lock the interrupted wait may hold.
        with suppress(ProcessLookupError, ChildProcessError):
            if os.name == "nt":
                process.kill()
                continue
            os.kill(process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def _known_pairs(images: int) -> tuple[Path, list[QAPair]]:
    """Return easy-VQA's folder and its questions about the first training images."""
    try:
        import easy_vqa  # noqa: PLC0415
    except ImportError as error:
        raise InputError("the demo needs its extra: pip install 'abo-vqa[demo]'") from error
    folder = Path(easy_vqa.get_train_image_paths()[0]).parent
    rows = zip(*easy_vqa.get_train_questions(), strict=True)
    pairs = [
        QAPair(pair_id(f"{image}.png", question), question, answer, f"{image}.png")
        for question, answer, image in rows
        if image < images
    ]
    return folder, pairs


def _write_script(folder: Path, answers: Path, images: Path, lost_after: int) -> Path:
    """Write the rehearsal's script: twelve keys, two invalid, three that soon run dry.

    The preferred model is shut down after ``lost_after`` requests.
    """
    lines = [
        f'answers = "{answers.name}"',
        f"images = {json.dumps(str(images))}",
        f"latency = {{ mean_ms = {LATENCY_MS}, jitter_ms = {LATENCY_MS // 3} }}",
    ]
    lines += ["[[model]]", f'name = "{PREFERRED}"', f"valid_for = {lost_after}"]
    for number in range(1, KEYS + 1):
        daily = DRY_REQUESTS_A_DAY if number in DRY_KEYS else 1000
        state = "invalid" if number in INVALID_KEYS else "valid"
        lines += ["[[project]]", f'name = "project-{number:02d}"', f"rpd = {daily}"]
        lines += [*_key_table(number), f'state = "{state}"']
    return _write_lines(folder / "rehearsal.toml", lines)


def _write_keys(folder: Path) -> Path:
    """Write the campaign's keys, which knows nothing of what is wrong with some of them."""
    lines = [line for number in range(1, KEYS + 1) for line in _key_table(number)]
    return _write_lines(folder / "keys.toml", lines)


def _key_table(number: int) -> list[str]:
    return [
        "[[key]]",
        f'label = "key-{number:02d}"',
        f'project = "project-{number:02d}"',
        f'api_key = "rehearsal-only-{number:02d}-{"x" * 16}"',
    ]


def _write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@dataclass(frozen=True)
class Rehearsal:
    """A running ``curator rehearse``."""

    base_url: str
    stats_url: str

    def answered(self) -> int:
        """Return how many requests got an answer so far."""
        with urlopen(self.stats_url, timeout=10) as reply:  # noqa: S310 (our own server's address)
            stats = json.load(reply)
        return int(stats["outcomes"].get("answered", 0))


@contextmanager
def rehearsal(script: Path, cache: Path) -> Iterator[Rehearsal]:
    """Play Gemini by the script until the block ends.

    Raises:
        StageFailed: the server did not start.
    """
    command: Words = [
        "curator",
        "rehearse",
        "--script",
        script,
        "--cache",
        cache,
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]
    with _running(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        ready = server.stdout.readline()
        if not ready:
            raise StageFailed("`curator rehearse` did not start")
        facts = json.loads(ready)
        yield Rehearsal(facts["base_url"], facts["stats_url"])
        server.terminate()


def _curate_until_half(command: Words, server: Rehearsal, images: int) -> None:
    """Run a campaign and stop it, as a reboot would, once half of the images are answered."""
    with _running(command) as campaign:
        while campaign.poll() is None and server.answered() < images / 2:
            try:
                campaign.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        console.print("[yellow]half-way: SIGTERM to the campaign")
        campaign.send_signal(signal.SIGTERM)
    if campaign.returncode != EXIT_STOPPED_FOR_NOW:
        raise StageFailed(f"`curator run` ended with {campaign.returncode} instead of 75")


def _write_recipe(folder: Path, images: Path) -> Path:
    settings = {
        "model": "blip-vqa-tiny",
        "data": str(folder / "data"),
        "images": str(images),
        "out": str(folder / "adapter"),
        "epochs": 4,
        "learning_rate": 4e-3,
        "batch_size": 32,
        "evaluation_batch_size": 256,
        "warmup_min_steps": 20,
        "gradient_checkpointing": False,
    }
    recipe = folder / "recipe.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    recipe.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return recipe


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes; replaced.")] = Path("demo-run"),
    images: Annotated[int, typer.Option(help="Pictures to use.", min=50, max=4000)] = IMAGES,
    replicas: Annotated[int, typer.Option(help="Ray actors.", min=1)] = 2,
) -> None:
    """Curate, train, evaluate and report, all on this machine."""
    interrupt_once("demo", before_end=_kill_running)
    started = stopwatch()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    # What is installed is enough, and a hub that does not answer would only cost time.
    os.environ["HF_HUB_OFFLINE"] = "1"
    pictures, pairs = _known_pairs(images)
    catalogue = _write_catalogue(out, pairs)
    _curate(out, pictures, pairs, catalogue)
    with stage("train a LoRA adapter on the base in 4 bit"):
        run(["trainer", "fit", _write_recipe(out, pictures)])
    _evaluate(out, pictures, replicas)
    with stage("report"):
        run(["evaluator", "report", out / "base", out / "adapted", "--out", out / "report.html"])
    console.print(f"[bold]whole line: {stopwatch() - started:.0f} s")
    typer.echo(f"open {out / 'report.html'}")


def _write_catalogue(folder: Path, pairs: Sequence[QAPair]) -> Path:
    catalogue = folder / "catalogue.csv"
    rows = [{"image": name} for name in dict.fromkeys(pair.filename for pair in pairs)]
    write_csv_rows(["image"], rows, catalogue)
    return catalogue


def _curate(out: Path, pictures: Path, pairs: Sequence[QAPair], catalogue: Path) -> None:
    images = len({pair.filename for pair in pairs})
    write_pairs(pairs, out / "answers.csv")
    script = _write_script(out, out / "answers.csv", pictures, images // 4)
    ledger = out / "campaign.sqlite"
    with rehearsal(script, out / "index") as server:
        command: Words = [
            "curator", "run", "--catalog", catalogue, "--images", pictures,
            "--keys", _write_keys(out), "--ledger", ledger, "--endpoint", server.base_url,
            "--questions", str(QUESTIONS),
            *(word for model in MODELS for word in ("--model", model)),
        ]  # fmt: skip
        with stage(f"curate {images} pictures with {KEYS} keys, lose a model, and stop half-way"):
            _curate_until_half(command, server, images)
        with stage("resume the campaign"):
            run(command)
            run(["curator", "status", "--ledger", ledger])
    with stage("export the data set, split by product"):
        run(["curator", "export", "--ledger", ledger, "--out", out / "data"])


def _evaluate(out: Path, pictures: Path, replicas: int) -> None:
    command: Words = [
        "evaluator", "run", "--data", out / "data", "--images", pictures,
        "--model", "blip-vqa-tiny", "--replicas", str(replicas),
        "--bertscore-model", "all-MiniLM-L6-v2",
    ]  # fmt: skip
    with stage(f"evaluate the base with {replicas} replicas"):
        run([*command, "--name", "base", "--out", out / "base"])
    with stage(f"evaluate base and adapter with {replicas} replicas"):
        adapter: Words = ["--adapter", out / "adapter", "--name", "with adapter"]
        run([*command, *adapter, "--out", out / "adapted"])


def main() -> None:
    """Run the demo; never returns."""
    run_program(app, "demo")


if __name__ == "__main__":
    main()
