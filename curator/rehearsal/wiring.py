"""Builds the server that a script describes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from aiohttp import web

from curator.rehearsal.answers.answer_book import AnswerBook, open_answer_book
from curator.rehearsal.answers.inventing import Inventor
from curator.rehearsal.answers.replying import Replier
from curator.rehearsal.answers.several import Answers
from curator.rehearsal.answers.temper import Temper
from curator.rehearsal.batches.file_shelf import FileLimits, FileShelf
from curator.rehearsal.batches.job_book import JobBook
from curator.rehearsal.batches.job_results import JobResults
from curator.rehearsal.batches.mishaps import (
    DownloadMishap,
    JobLife,
    JobMishap,
    LookMishap,
    RowMishap,
    UploadMishap,
)
from curator.rehearsal.doors.batches import BatchesDoor
from curator.rehearsal.doors.desk import Desk, Latency
from curator.rehearsal.doors.door import Received, Visitors
from curator.rehearsal.doors.files import FilesDoor
from curator.rehearsal.doors.gemini import GeminiDoor
from curator.rehearsal.doors.google_cloud import GoogleCloudDoor
from curator.rehearsal.doors.tokens import TokensDoor
from curator.rehearsal.faults import AnyFault, Fault, FaultPlan, FaultRule, FlexPlan
from curator.rehearsal.judge import Judge
from curator.rehearsal.key_ring import MADE_UP_TOKEN, KeyRing, RehearsedKey, UnlistedKeys
from curator.rehearsal.model_shelf import Counting, ModelShelf, RehearsedModel
from curator.rehearsal.quota_book import (
    Days,
    OwnLimits,
    PacificDays,
    ProjectLimits,
    QuotaBook,
    ShortDays,
)
from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.script_tables import (
    BatchFaultTable,
    DayTable,
    FaultTable,
    FlexTable,
    KeyTable,
    LatencyTable,
    ModelTable,
    ProjectModelTable,
    QuotaTable,
)
from curator.rehearsal.server import RehearsalServer
from curator.rehearsal.tally import RehearsalTally
from shared.corpus import checked_columns, read_pairs
from shared.files.cache import cache_folder
from shared.images.names import with_file_names
from shared.program.clock import Clock
from shared.value_class import value_class


def default_cache() -> Path:
    """Return the folder where miniatures of known images are kept."""
    return cache_folder("rehearsal")


def read_answers(script: RehearsalScript, cache: Path) -> AnswerBook | Inventor:
    """Read and index the questions, answers and images of a script; seconds for thousands.

    Without answers, what makes them up.

    Raises:
        InputError: the answers or the images cannot be read.
    """
    if script.answers is None or script.images is None:
        return Inventor()
    columns = checked_columns(script.columns, "columns")
    pairs = with_file_names(read_pairs(script.answers, columns), script.images, script.answers)
    return open_answer_book(script.images, pairs, cache)


def build_server(
    script: RehearsalScript,
    answers: Answers,
    clock: Clock,
    record: Callable[[Received], None] | None = None,
) -> RehearsalServer:
    """Return the server that plays ``script`` from ``answers``; ``record`` is told of requests."""
    accepted = script.accept_unlisted_keys
    keys = KeyRing(
        [_key(key) for key in script.labelled_keys()],
        {project.name: _limits(project) for project in script.project},
        unlisted=UnlistedKeys.ACCEPTED if accepted else UnlistedKeys.REFUSED,
        unlisted_limits=_limits(script.unlisted_quota),
        own_limits=_own_limits(script),
    )
    # Dice of their own, so that how faults are dealt does not depend on who asked when.
    dice = random.Random(script.seed)
    fault_die, die, flex_die, batch_die = (random.Random(dice.random()) for _ in range(4))
    shelf = ModelShelf(script.models, [_model(model) for model in script.model])
    tempers = {model.name: _temper(model) for model in script.model}
    replier = Replier(answers, shelf, die, tempers)
    judge = Judge(
        replier=replier,
        keys=keys,
        shelf=shelf,
        quotas=QuotaBook(_days(script.day, clock.now())),
        faults=FaultPlan([_rule(fault, Fault) for fault in script.fault], fault_die),
        flex=FlexPlan(
            flex_die,
            shed=script.flex.shed,
            shed_status=script.flex.shed_status,
            downgraded=script.flex.downgraded,
        ),
        die=die,
        clock=clock,
    )
    tally = RehearsalTally(clock.now())
    desk = Desk(
        judge=judge,
        tally=tally,
        latency=_latency(script.latency, script.latency),
        flex_latency=_latency(script.flex, script.latency),
        die=die,
        clock=clock,
        record=record,
    )
    gemini, cloud = GeminiDoor(judge, tally, desk), GoogleCloudDoor(judge, tally, desk)
    tokens = TokensDoor(judge, tally)
    stage = _Stage(judge, shelf, replier, tally, batch_die, clock, record)
    batch_routes, jobs = _batches(script, stage)
    return RehearsalServer(
        routes=[*gemini.routes(), *cloud.routes(), *tokens.routes(), *batch_routes],
        tally=tally,
        jobs=jobs,
        clock=clock,
    )


@value_class
class _Stage:
    """What the doors share."""

    judge: Judge
    shelf: ModelShelf
    replier: Replier
    tally: RehearsalTally
    die: random.Random
    clock: Clock
    record: Callable[[Received], None] | None


def _batches(script: RehearsalScript, stage: _Stage) -> tuple[list[web.RouteDef], JobBook]:
    table = script.batch
    # Again, how often somebody looks decides nothing about what comes of jobs.
    row_die, content_die, job_die, upload_die, look_die, download_die = (
        random.Random(stage.die.random()) for _ in range(6)
    )
    visitors = Visitors(stage.judge, stage.tally)
    files = FileShelf(FileLimits(**script.files.model_dump()), stage.die)
    results = JobResults(
        replier=stage.replier,
        shelf=stage.shelf,
        rows=FaultPlan(_rules(table.fault, RowMishap), row_die),
        content=FaultPlan(_rules(table.fault, Fault), content_die),
        die=stage.die,
        tell=stage.tally.answered_in_job,
    )
    jobs = JobBook(
        judge=stage.judge,
        files=files,
        results=results,
        mishaps=FaultPlan(_rules(table.fault, JobMishap), job_die),
        life=JobLife(**table.model_dump(exclude={"fault"})),
        die=stage.die,
        clock=stage.clock,
    )
    files_door = FilesDoor(
        visitors=visitors,
        files=files,
        uploads=FaultPlan(_rules(table.fault, UploadMishap), upload_die),
        downloads=FaultPlan(_rules(table.fault, DownloadMishap), download_die),
        clock=stage.clock,
        record=stage.record,
    )
    batches_door = BatchesDoor(
        visitors=visitors,
        judge=stage.judge,
        shelf=stage.shelf,
        jobs=jobs,
        looks=FaultPlan(_rules(table.fault, LookMishap), look_die),
        clock=stage.clock,
        record=stage.record,
    )
    return [*files_door.routes(), *batches_door.routes()], jobs


def _latency(table: FlexTable | LatencyTable, usual: LatencyTable) -> Latency:
    mean_ms = usual.mean_ms if table.mean_ms is None else table.mean_ms
    return Latency(
        mean_s=mean_ms / 1000, jitter_s=table.jitter_ms / 1000, slow_s=usual.slow_ms / 1000
    )


def _key(table: KeyTable) -> RehearsedKey:
    return RehearsedKey(
        label=table.label,
        project=table.project,
        api_key=table.api_key or f"{MADE_UP_TOKEN}{table.label}",
        state=table.state,
        valid_for=table.valid_for,
        is_enterprise=table.enterprise,
        takes_any_token=not table.api_key,
    )


def _model(table: ModelTable) -> RehearsedModel:
    return RehearsedModel(
        name=table.name,
        stage=table.stage,
        retires_at=None if table.retires is None else table.retires.timestamp(),
        closed_to=frozenset(table.closed_to),
        answers_as=table.answers_as,
        takes_json_mode=table.json_mode,
        takes_system_text=table.system_text,
        takes_thinking=table.takes_thinking,
        takes_detail=table.takes_detail,
        valid_for=table.valid_for,
        tiers=frozenset(table.tiers),
        counting=Counting(
            image_tokens={str(name): n for name, n in table.image_tokens.items()},
            image_detail=table.image_detail,
            characters_per_token=table.characters_per_token,
            thought_tokens={str(name): n for name, n in table.thought_tokens.items()},
            thinking=table.thinking or "",
            takes_budget=table.takes_budget,
            cached_tokens=table.cached_tokens,
        ),
    )


def _temper(table: ModelTable) -> Temper:
    return Temper(
        changes_at=-math.inf if table.changes_at is None else table.changes_at.timestamp(),
        changes_after=table.changes_after,
        changed_share=table.changed_share,
        unsteady_share=table.unsteady_share,
    )


def _limits(table: QuotaTable) -> ProjectLimits:
    return ProjectLimits(
        rpm=table.rpm,
        tpm=table.tpm,
        rpd=table.rpd,
        batch_tokens=table.batch_tokens,
        batch_jobs=table.batch_jobs,
        tier=table.tier,
    )


def _own_limits(script: RehearsalScript) -> dict[tuple[str, str], OwnLimits]:
    """Return the limits of models, in every project and in one."""
    listed: list[tuple[str, ModelTable | ProjectModelTable]] = [("", one) for one in script.model]
    listed += [(project.name, one) for project in script.project for one in project.model]
    return {
        (project, one.name): OwnLimits(
            rpm=one.rpm, tpm=one.tpm, rpd=one.rpd, batch_tokens=one.batch_tokens
        )
        for project, one in listed
    }


def _days(table: DayTable, now: float) -> Days:
    if table.length_s is not None:
        return ShortDays(start=now, length_s=table.length_s)
    return PacificDays(table.offset_s)


def _rules(tables: Iterable[BatchFaultTable], kinds: type[AnyFault]) -> list[FaultRule[AnyFault]]:
    """Return the rules of the tables whose kind is one of ``kinds``."""
    known = {kind.value for kind in kinds}
    return [_rule(table, kinds) for table in tables if table.kind in known]


def _rule(table: FaultTable | BatchFaultTable, kinds: type[AnyFault]) -> FaultRule[AnyFault]:
    return FaultRule(
        fault=kinds(table.kind),
        rate=table.rate,
        every=table.every,
        at=frozenset(table.at),
        limit=table.limit,
    )
