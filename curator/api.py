"""The curator from Python: what ``curator run`` does, with values in and out.

    from curator import curate

    curate("abo", "campaign.db", keys="keys.toml", limit=100)

Bad input raises ``shared.errors.InputError``, a run that stopped in good order ``StoppedForNow``,
to go on by the same call; both are ``AboVqaError``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from curator.campaign.beginning.as_given import (
    catalogue_of,
    concurrency_at,
    prompt_files,
    settings_asked,
)
from curator.campaign.beginning.inputs import RunOptions, plan_run
from curator.campaign.run import run
from curator.catalog import catalog_columns, local_catalogue
from curator.ledger import Progress
from shared.endpoints.models.asked_settings import ImageDetail, Thinking
from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.protocols.annotator import DEFAULT_TIMEOUT_S, FLEX_TIMEOUT_S
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.images.fitness import Fitness
from shared.images.stores import is_url
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import SystemClock
from shared.program.command_line.as_called import in_its_words

Place = str | PathLike[str]


@in_its_words("curator run", timeout="timeout_s")
def curate(
    catalog: Place,
    ledger: Place,
    *,
    keys: Place | None = None,
    images: Place | None = None,
    columns: str | Mapping[str, str] | None = None,
    agreement: Place | None = None,
    service: Service = Service.GEMINI,
    model: Sequence[str] | str | None = None,
    models: Place | None = None,
    endpoint: str | None = None,
    prompt: Sequence[Place] | Place | None = None,
    questions: int | None = None,
    answer_words: int | None = None,
    views: int = 1,
    thinking: Thinking | None = None,
    image_detail: ImageDetail | None = None,
    tier: Tier = Tier.STANDARD,
    limit: int | None = None,
    concurrency: int | None = None,
    requests_per_minute: int | None = None,
    on_exhausted: OnExhausted = OnExhausted.STOP,
    status: str | None = None,
    status_token: str | None = None,
    timeout_s: float | None = None,
    watch: bool = False,
    once_per_look: bool = False,
    verify: float = 0.0,
    canary: int = 0,
    min_pixels: int = 0,
    min_contrast: float = 0.0,
    min_sharpness: float = 0.0,
    shuffle: int | None = None,
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
    retry_dead: bool = False,
    retry_keys: bool = False,
    yes: bool = False,
) -> Progress:
    """Ask for questions and answers about every image of a catalogue; return how far it is.

    The same call goes on where it stopped. Each argument is the option of its name; ``curator run
    --help`` says what each does.

    Args:
        catalog: an ABO download, a table with a column of images, or a folder.
        ledger: the SQLite file that keeps all that was asked and answered.
        keys: the keys file; by default the service's environment variables.
        images: the images folder, if not the catalogue's own.
        columns: columns whose names cannot be guessed, by what they hold, or as one types them.
        agreement: a TOML file that says which texts of a listing answers are compared with.
        service: whose protocol is spoken.
        model: one model, or several in order of preference.
        models: a TOML file of models, laid over the packaged one.
        endpoint: where the service is, if not at its usual address.
        prompt: a prompt file, or several, each with ``=SHARE`` after it.
        questions: how many are asked about an image.
        answer_words: the longest answer, in words.
        views: how many pictures of a listing go along in a request.
        thinking: how hard models think, if not as they choose.
        image_detail: in what detail they look, if not as they choose.
        tier: the service's tier: standard, flex or batch.
        limit: so many images, settled in all, after which to stop.
        concurrency: requests in flight.
        requests_per_minute: most requests a minute, with all keys together or without any.
        on_exhausted: with no quota left, stop or wait for the next day.
        status: HOST:PORT of a status page.
        status_token: the token that the page asks for, where others can reach it.
        timeout_s: longest wait for a reply, in seconds.
        watch: stay, and look twice a minute for listings that were added.
        once_per_look: ask about one of several near-identical images alone.
        verify: share of the pairs, in [0, 1], of which another model is asked too.
        canary: so many images are asked about again each day.
        min_pixels: smallest shorter side of an image.
        min_contrast: least contrast of an image.
        min_sharpness: least sharpness of an image.
        shuffle: seed of a random order, kept with the campaign.
        budget_usd: US dollars, by list price, that the campaign may cost in all.
        budget_tokens: tokens, in and out, that it may take in all.
        retry_dead: return what was given up to the queue first.
        retry_keys: try keys again that failed for good before.
        yes: begin a new campaign beside others without asking.

    Raises:
        InputError: something that was given cannot be used.
        StoppedForNow: no quota is left, or it was interrupted; the same call goes on.
        OnlyDeadLetters: all that it settled was given up.
        LedgerFailure: the ledger cannot be written any more.
    """
    return curate_given(locals())


def curate_given(given: Mapping[str, Any]) -> Progress:
    """Do what ``curate`` does, with its arguments by name; errors are told as the command does."""
    return _run(options_of(given))


def options_of(given: Mapping[str, Any]) -> RunOptions:
    """Return the options of a run from the arguments of ``curate``, all of them, by name.

    Raises:
        InputError: one is out of its bounds, or they do not go together.
    """
    # It takes pydantic, which takes a while to import.
    from curator.campaign.beginning.bounds import bounded  # noqa: PLC0415

    checked = bounded(given)
    if given["watch"] and is_url(fspath(given["catalog"])):
        raise InputError(
            "--watch looks at files on this machine, and what the hub has is fetched once; run "
            "again to take in what it has then"
        )
    catalog_here, images_here = local_catalogue(
        fspath(given["catalog"]), None if given["images"] is None else fspath(given["images"])
    )
    return RunOptions(
        catalog=catalog_here,
        keys=_path(given["keys"]),
        ledger=Path(given["ledger"]),
        images=images_here,
        columns=catalog_columns(_columns(given["columns"])),
        agreement=_path(given["agreement"]),
        annotator=checked.service,
        models=_models(given["model"]),
        known_models=catalogue_of(_path(given["models"])),
        base_url=given["endpoint"],
        prompts=prompt_files(_texts(given["prompt"])),
        questions=checked.questions,
        answer_words=checked.answer_words,
        limit=checked.limit,
        concurrency=concurrency_at(checked.tier, checked.concurrency),
        requests_per_minute=checked.requests_per_minute,
        on_exhausted=checked.on_exhausted,
        status=given["status"],
        status_token=given["status_token"],
        timeout_s=checked.timeout_s
        or (FLEX_TIMEOUT_S if checked.tier is Tier.FLEX else DEFAULT_TIMEOUT_S),
        watch=given["watch"],
        once_per_look=given["once_per_look"],
        views=checked.views,
        retry_dead=given["retry_dead"],
        retry_keys=given["retry_keys"],
        yes=given["yes"],
        verify=checked.verify,
        canary=checked.canary,
        fitness=Fitness(checked.min_pixels, checked.min_contrast, checked.min_sharpness),
        shuffle=checked.shuffle,
        budget=BudgetLimit(given["budget_usd"], given["budget_tokens"]),
        settings=settings_asked(checked.thinking, checked.image_detail),
        tier=checked.tier,
    )


def _run(options: RunOptions) -> Progress:
    plan, clock = plan_run(options), SystemClock()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run(options, plan, clock))
    # A notebook runs a loop of its own; the campaign has one in a thread, which no signal reaches.
    stop, loops = AsyncStopSignal(), list[asyncio.AbstractEventLoop]()

    async def in_its_loop() -> Progress:
        loops.append(asyncio.get_running_loop())
        return await run(options, plan, clock, stop)

    with ThreadPoolExecutor(1, "curate") as thread:
        running = thread.submit(asyncio.run, in_its_loop())
        try:
            return running.result()
        except KeyboardInterrupt:
            for loop in loops:
                loop.call_soon_threadsafe(stop.request, "interrupted")
            return running.result()


def _path(place: Place | None) -> Path | None:
    return None if place is None else Path(place)


def _models(names: Sequence[str] | str | None) -> Sequence[str]:
    return [names] if isinstance(names, str) else names or ()


def _texts(places: Sequence[Place] | Place | None) -> list[str]:
    if places is None:
        return []
    return [fspath(places)] if isinstance(places, (str, PathLike)) else [*map(str, places)]


def _columns(columns: str | Mapping[str, str] | None) -> str | None:
    if not isinstance(columns, Mapping):
        return columns
    return ",".join(f"{field}={column}" for field, column in columns.items())
