"""The ``curator`` program: which commands it has; each is a module of ``curator.commands``."""

from __future__ import annotations

import gc
from typing import Final

GARBAGE_THRESHOLD: Final = 20_000
"""New objects after which garbage is looked for; Python's own is 700.

What is imported stays, and requests leave little garbage: looking through it all again and again
would cost a run's start a quarter, and the run a tenth.
"""
# Before all that takes long to import.
gc.set_threshold(GARBAGE_THRESHOLD)

from curator.commands.help import EXAMPLES, GROUPS, ONCE_ARGUMENTS  # noqa: E402
from shared.program.cli import run_program  # noqa: E402
from shared.program.command_line.application import Command, application  # noqa: E402

COMMANDS: Final = {
    "run": Command(
        "curator.commands.campaign.run", "run", "Ask for questions and answers about every image."
    ),
    "status": Command(
        "curator.commands.status", "status", "Show progress, keys, tokens, cost and time left."
    ),
    "plan": Command(
        "curator.commands.campaign.plan", "plan", "Forecast a campaign's time, tokens and money."
    ),
    "fetch": Command(
        "curator.commands.fetch", "fetch", "Bring the pictures that a catalogue names by URL."
    ),
    "agreement": Command(
        "curator.commands.judging.agreement",
        "agreement",
        "Print which fields of a listing answer which questions.",
    ),
    "keys": Command("curator.commands.keys", "keys", "Check which keys may use which models."),
    "view": Command(
        "curator.commands.judging.review",
        "view",
        "Look at all pairs, with their pictures, on a page.",
    ),
    "review": Command(
        "curator.commands.judging.review",
        "review",
        "Judge pairs on a page, by keyboard or on a phone.",
    ),
    "prompt": Command(
        "curator.commands.prompt", "prompt", "Print the default prompt file, or check one."
    ),
    "export": Command(
        "curator.commands.pairs", "export", "Write the pairs to a file, or a data set folder."
    ),
    "dataset": Command(
        "curator.commands.dataset", "dataset", "Make a data set folder of a file of pairs."
    ),
    "reparse": Command(
        "curator.commands.pairs", "reparse", "Judge the kept replies again, by today's rules."
    ),
    "repair": Command(
        "curator.commands.repair", "repair", "Save what can be read of a damaged ledger."
    ),
    "rehearse": Command(
        "curator.commands.rehearse", "rehearse", "Play Gemini on this machine, at no cost."
    ),
}

app = application(
    "curator",
    "Make a visual question answering data set out of a product catalogue.",
    COMMANDS,
    examples=EXAMPLES,
    groups=GROUPS,
    once_arguments=ONCE_ARGUMENTS,
)


def main() -> None:
    """Run the command line; never returns."""
    run_program(app, "curator")


if __name__ == "__main__":
    main()
