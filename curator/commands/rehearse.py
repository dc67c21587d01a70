"""``curator rehearse``: its options, what it prints, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from curator.commands.options import AsJson
from shared.errors import InputError
from shared.program.command_line.next_step import typed
from shared.program.reporting.secret_mask import SecretMask
from shared.web.host_and_port import listening_at

if TYPE_CHECKING:
    from curator.rehearsal.answers.answer_book import AnswerBook
    from curator.rehearsal.answers.inventing import Inventor
    from curator.rehearsal.script import RehearsalScript
    from curator.rehearsal.script_tables import QuotaTable
    from curator.rehearsal.server import RehearsalServer

DEFAULT_PORT: Final = 8765
_ANY_KEY: Final = "rehearsal-key"


ScriptFile = Annotated[
    Path | None, typer.Option(help="TOML file with answers, keys, quotas and faults.")
]
AnswersFile = Annotated[
    str | None,
    typer.Option(help="Known questions and answers: CSV, JSON or Parquet; a path or a URL."),
]
AnsweredImages = Annotated[
    str | None,
    typer.Option(
        help="Folder of the images that the answers name.",
        show_default="the pictures within the answers, or in a folder `images` beside them",
    ),
]
AnswerColumns = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,...",
        help="Columns of the answers that cannot be guessed, such as answer=ground_truth.",
    ),
]
CampaignKeys = Annotated[
    Path | None, typer.Option(help="Keys file of the campaign: its keys work, under its quotas.")
]
RequestsPerMinute = Annotated[
    int | None, typer.Option(min=0, help="Requests a minute, for unlisted keys.")
]
TokensPerMinute = Annotated[
    int | None, typer.Option(min=0, help="Tokens a minute, for unlisted keys.")
]
RequestsPerDay = Annotated[
    int | None, typer.Option(min=0, help="Requests a day, for unlisted keys.")
]
Latency = Annotated[
    float | None, typer.Option("--latency", min=0, help="Seconds that a reply takes.")
]
OldLatency = Annotated[float | None, typer.Option("--latency-ms", min=0, hidden=True)]
ListenAddress = Annotated[
    str,
    typer.Option("--listen", metavar="HOST:PORT", help="Address to listen on; port 0: any free."),
]
OldHost = Annotated[str | None, typer.Option("--host", hidden=True)]
OldPort = Annotated[int | None, typer.Option("--port", hidden=True, min=0, max=65535)]
WrittenKeys = Annotated[
    Path | None, typer.Option(help="File to write the script's keys to, for curator run --keys.")
]
CacheFolder = Annotated[Path | None, typer.Option(help="Folder for the index of images.")]


def rehearse(
    *,
    script: ScriptFile = None,
    answers: AnswersFile = None,
    images: AnsweredImages = None,
    columns: AnswerColumns = None,
    keys: CampaignKeys = None,
    rpm: RequestsPerMinute = None,
    tpm: TokensPerMinute = None,
    rpd: RequestsPerDay = None,
    latency_s: Latency = None,
    latency_ms: OldLatency = None,
    listen: ListenAddress = f"127.0.0.1:{DEFAULT_PORT}",
    host: OldHost = None,
    port: OldPort = None,
    write_keys: WrittenKeys = None,
    cache: CacheFolder = None,
    as_json: AsJson = False,
) -> None:
    """Play Gemini on this machine, at no cost.

    Answers, quotas, models, service tiers, batch jobs and faults are as --script says; what it may
    say is in docs/rehearsal.md. Or give --answers and --images; without, answers are made up about
    any image. Ends on Ctrl-C or SIGTERM.
    """
    import asyncio

    from curator.rehearsal.script import require_keys, with_campaign_keys
    from curator.rehearsal.script_tables import QuotaTable
    from curator.rehearsal.wiring import build_server, default_cache, read_answers
    from shared.corpus import parse_columns
    from shared.endpoints.keys.keyfile import read_key_file
    from shared.program.clock import SystemClock
    from shared.program.reporting.events import set_up_events
    from shared.web.access import Address
    from shared.web.listening import require_free_address

    place = listening_at(listen, host, port)
    asyncio.run(require_free_address(Address(*place), "--listen"))
    scene = _scene(script, answers, images)
    if columns is not None:
        scene = scene.model_copy(update={"columns": parse_columns(columns)})
    mean_ms = latency_ms if latency_s is None else 1000 * latency_s
    scene = _with_options(scene, QuotaTable(rpm=rpm, tpm=tpm, rpd=rpd), mean_ms)
    if keys is not None:
        scene = with_campaign_keys(scene, read_key_file(keys))
    require_keys(scene)
    set_up_events(mask=SecretMask(key.api_key for key in scene.key))
    book = read_answers(scene, cache or default_cache())
    if write_keys is not None:
        _write_keys(scene, write_keys)
    server = build_server(scene, book, SystemClock())
    pool = write_keys or keys
    announce = _announce_json if as_json else _announce
    asyncio.run(_serve(server, *place, lambda url: announce(url, scene, book, pool)))
    _sum_up(server)


def _scene(script: Path | None, answers: str | None, images: str | None) -> RehearsalScript:
    from curator.rehearsal.script import RehearsalScript, read_script
    from shared.images.stores import local_folder

    if script is not None:
        scene = read_script(script)
        if images is None and scene.images is not None:
            images = str(scene.images)
        if answers is None:
            return scene.model_copy(update={"images": local_folder(images)})
        return scene.model_copy(update=_opened(answers, images))
    told = {"images": local_folder(images)} if answers is None else _opened(answers, images)
    return RehearsalScript(**told, accept_unlisted_keys=True)


def _opened(answers: str, images: str | None) -> dict[str, Path | None]:
    """Return where the answers are, and the pictures within or beside them unless they are told."""
    from shared.dataset.opening import opened_data

    opened = opened_data(answers, images)
    return {"answers": opened.rows, "images": opened.folder}


def _with_options(
    scene: RehearsalScript, quota: QuotaTable, latency_ms: float | None
) -> RehearsalScript:
    from curator.rehearsal.script_tables import QuotaTable

    changes: dict[str, object] = {}
    if quota != QuotaTable():
        changes["unlisted_quota"] = quota
    if latency_ms is not None:
        changes["latency"] = scene.latency.model_copy(update={"mean_ms": latency_ms})
    return scene.model_copy(update=changes)


def _write_keys(scene: RehearsalScript, path: Path) -> None:
    """Write the pool as a keys file: what a campaign may know, so neither states nor faults."""
    from curator.rehearsal.script_tables import QuotaTable
    from shared.files.atomic import atomic_private_path

    limits = {project.name: project for project in scene.project}
    tables = []
    for key in scene.labelled_keys():
        if key.enterprise:
            # A token is got by a login, and not written down.
            continue
        fields: dict[str, object] = {
            "label": key.label,
            "project": key.project,
            "api_key": key.api_key,
        }
        project = limits.get(key.project, QuotaTable())
        fields |= project.model_dump(include={"rpm", "tpm", "rpd"}, exclude_none=True)
        # JSON's strings and numbers are TOML's as well. A limit of 0 is for a campaign to learn.
        lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if value != 0]
        tables.append("\n".join(["[[key]]", *lines]))
    if not tables:
        why = "none but access tokens" if scene.key else "no keys; any key works"
        raise InputError(f"--write-keys {path}: the script names {why}")
    with atomic_private_path(path) as part:
        part.write_text("\n\n".join(tables) + "\n", encoding="utf-8")


async def _serve(
    server: RehearsalServer, host: str, port: int, announce: Callable[[str], None]
) -> None:
    from shared.program.async_stopping import ENDED_AT_ONCE, AsyncStopSignal, stop_on_signals

    stop = AsyncStopSignal()
    with stop_on_signals(stop, "curator", ENDED_AT_ONCE):
        async with server.serving(host=host, port=port) as base_url:
            announce(base_url)
            await stop.until_requested()


def _announce(
    base_url: str, scene: RehearsalScript, book: AnswerBook | Inventor, pool: Path | None
) -> None:
    known = "answers are made up about any image"
    from curator.rehearsal.answers.answer_book import AnswerBook

    if isinstance(book, AnswerBook):
        known = f"{len(book)} images, {book.pair_count} questions"
    print(f"Rehearsal server on {base_url}: {known}.")
    print(f"  {_campaign(base_url, scene, pool)}")
    print(f"Figures: {_stats_url(base_url)}. Ctrl-C ends it.", flush=True)


def _announce_json(
    base_url: str, scene: RehearsalScript, book: AnswerBook | Inventor, pool: Path | None
) -> None:
    from curator.rehearsal.answers.answer_book import AnswerBook

    counts = (len(book), book.pair_count) if isinstance(book, AnswerBook) else (None, None)
    ready = {
        "base_url": base_url,
        "stats_url": _stats_url(base_url),
        "images": counts[0],
        "questions": counts[1],
        "campaign": _campaign(base_url, scene, pool),
    }
    print(json.dumps(ready), flush=True)


def _stats_url(base_url: str) -> str:
    from curator.rehearsal.server import STATS_PATH

    return base_url + STATS_PATH


def _campaign(base_url: str, scene: RehearsalScript, pool: Path | None) -> str:
    """Return a command line that runs a campaign against this server."""
    catalog = "CATALOG" if scene.images is None else str(_catalog_of(scene.images))
    words = ["curator", "run", "--catalog", catalog, "--ledger", "rehearsal.db"]
    words += ["--endpoint", base_url]
    if scene.models:
        words += ["--model", scene.models[0]]
    if pool is not None:
        words += ["--keys", str(pool)]
    elif scene.key:
        # The keys stay in the script: a terminal's history is no place for them.
        words += ["--keys", "KEYS.toml"]
    prefix = "" if pool or scene.key else f"GEMINI_API_KEYS={_ANY_KEY} "
    return prefix + typed(*words)


def _catalog_of(images: Path) -> Path:
    """Return the ABO download that ``images`` belongs to, or the folder, a catalogue by itself."""
    around = images.resolve().parents[1:2]
    return next(
        (folder for folder in around if (folder / "listings" / "metadata").is_dir()), images
    )


def _sum_up(server: RehearsalServer) -> None:
    figures = server.stats()
    outcomes = ", ".join(f"{name} {count}" for name, count in figures["outcomes"].items())
    jobs = ", ".join(f"{name} {count}" for name, count in figures["batch"]["jobs"].items())
    in_jobs = f", and {figures['batch']['requests_sent']} in batch jobs ({jobs})" if jobs else ""
    print(
        f"Rehearsal over: {figures['requests']} requests ({outcomes or 'none'}){in_jobs}.",
        file=sys.stderr,
    )
