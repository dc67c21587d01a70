"""``curator run``: a campaign, from its options to the line that says how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curator.commands.campaign.file_option import CampaignFile
from curator.commands.campaign.typed import run_words
from curator.commands.options import (
    AnswerWords,
    CanaryImages,
    CatalogPath,
    ColumnsOfTable,
    Concurrency,
    DetailOfImages,
    Endpoint,
    ImagesFolder,
    KeysFile,
    LedgerFile,
    ListingMapFile,
    MinContrast,
    MinPixels,
    MinSharpness,
    ModelNames,
    ModelsPath,
    PromptFiles,
    QuestionsPerImage,
    ServiceName,
    ThinkingLevel,
    TierName,
    VerifiedShare,
    ViewsPerRequest,
)
from shared.endpoints.keys.variables import TOKEN_VARIABLE
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.protocols.annotator import DEFAULT_TIMEOUT_S, FLEX_TIMEOUT_S
from shared.endpoints.protocols.registry import Service
from shared.program.command_line.next_step import tell_next
from shared.program.process.garbage import garbage_left_alone

SettledLimit = Annotated[
    int | None, typer.Option(min=1, help="Number of images, settled in all, after which to stop.")
]
RequestsPerMinute = Annotated[
    int | None,
    typer.Option(min=1, help="Most requests a minute, with all keys together or without any."),
]
WhenExhausted = Annotated[
    OnExhausted,
    typer.Option(
        help="What to do with no quota left: stop with exit code 75, or wait for the next day."
    ),
]
StatusAddress = Annotated[
    str | None,
    typer.Option("--status", metavar="HOST:PORT", help="Address to serve a status page at."),
]
StatusToken = Annotated[
    str | None,
    typer.Option(
        envvar=TOKEN_VARIABLE,
        help="Token that the status page asks for; needed where others can reach it.",
    ),
]
TimeoutSeconds = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        help="Longest wait for a reply, in seconds.",
        show_default=f"{DEFAULT_TIMEOUT_S:g}; {FLEX_TIMEOUT_S:g} at flex",
    ),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Stay, and look twice a minute for listings that were added."),
]
OncePerLook = Annotated[
    bool,
    typer.Option("--once-per-look", help="Ask about one of several near-identical images alone."),
]
ShuffleSeed = Annotated[
    int | None,
    typer.Option(
        metavar="SEED",
        help="Seed of a random order, kept, so that every part of it is a fair sample.",
    ),
]
BudgetUsd = Annotated[
    float | None,
    typer.Option(help="US dollars, by list price, that the campaign may cost in all."),
]
BudgetTokens = Annotated[
    int | None, typer.Option(help="Tokens, in and out, that the campaign may take in all.")
]
RetryDead = Annotated[
    bool, typer.Option("--retry-dead", help="Return what was given up to the queue first.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say what would be done, its cost and time; send and write nothing."
    ),
]
BeginNew = Annotated[
    bool, typer.Option("--yes", help="Begin a new campaign beside others without asking.")
]
RetryKeys = Annotated[
    bool, typer.Option("--retry-keys", help="Try keys again that failed for good before.")
]


def run(
    context: typer.Context,
    file: CampaignFile = None,
    *,
    catalog: CatalogPath,
    ledger: LedgerFile,
    keys: KeysFile = None,
    images: ImagesFolder = None,
    columns: ColumnsOfTable = None,
    agreement: ListingMapFile = None,
    service: ServiceName = Service.GEMINI,
    model: ModelNames = None,
    models: ModelsPath = None,
    endpoint: Endpoint = None,
    prompt: PromptFiles = None,
    questions: QuestionsPerImage = None,
    answer_words: AnswerWords = None,
    views: ViewsPerRequest = 1,
    thinking: ThinkingLevel = None,
    image_detail: DetailOfImages = None,
    tier: TierName = Tier.STANDARD,
    limit: SettledLimit = None,
    concurrency: Concurrency = None,
    requests_per_minute: RequestsPerMinute = None,
    on_exhausted: WhenExhausted = OnExhausted.STOP,
    status: StatusAddress = None,
    status_token: StatusToken = None,
    timeout_s: TimeoutSeconds = None,
    watch: Watch = False,
    once_per_look: OncePerLook = False,
    verify: VerifiedShare = 0.0,
    canary: CanaryImages = 0,
    min_pixels: MinPixels = 0,
    min_contrast: MinContrast = 0.0,
    min_sharpness: MinSharpness = 0.0,
    shuffle: ShuffleSeed = None,
    budget_usd: BudgetUsd = None,
    budget_tokens: BudgetTokens = None,
    retry_dead: RetryDead = False,
    retry_keys: RetryKeys = False,
    yes: BeginNew = False,
    dry_run: DryRun = False,
) -> None:
    """Ask for questions and answers about every image.

    The same command goes on where it stopped.
    """
    given = dict(locals())
    for name in ("context", "file", "dry_run"):
        del given[name]
    # What a run takes, --help need not wait for.
    with garbage_left_alone():
        from curator.api import curate_given
        from shared.program.clock import stopwatch

        service.load()

    if dry_run:
        # It takes what `curator plan` takes, which a run does without.
        from curator.commands.campaign.dry_run import say_what_would_be_done

        say_what_would_be_done(given)
        tell_next(*run_words(context, but="dry_run"))
        return
    started = stopwatch()
    progress = curate_given(given)
    print(f"{progress.sentence()}; {stopwatch() - started:.1f} s")
    if words := _left_out_words(ledger):
        print(f"left out of the catalogue: {words}")
    if limit is not None and progress.pending:
        tell_next(*run_words(context, but="limit"))
    else:
        tell_next("curator", "export", "--ledger", ledger, "--out", "dataset")


def _left_out_words(ledger: Path) -> str:
    from curator.ledger.database.plain import reading
    from curator.ledger.reports.campaigns import left_out
    from curator.status.words import left_out_words

    with reading(ledger) as connection:
        return "; ".join(map(left_out_words, left_out(connection)))
