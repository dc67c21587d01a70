"""The ``evaluator`` program: which commands it has; ``evaluator.commands`` has their modules."""

from __future__ import annotations

from typing import Final

from evaluator.commands.help import EXAMPLES, GROUPS, ONCE_ARGUMENTS
from shared.program.cli import run_program
from shared.program.command_line.application import Command, application, default_events

COMMANDS: Final = {
    "score": Command(
        "evaluator.commands.score", "score", "Score files of predictions; no model is needed."
    ),
    "run": Command(
        "evaluator.commands.run",
        "run",
        "Answer a data set's questions, with Ray actors or at an address, and score the answers.",
    ),
    "status": Command(
        "evaluator.commands.run", "status", "Say how far a run is, also where its driver died."
    ),
    "predict": Command(
        "evaluator.commands.predict",
        "predict",
        "Answer one question, or a file of them; no reference answers needed.",
    ),
    "check": Command(
        "evaluator.commands.data", "check", "Look for leaks between splits and for contradictions."
    ),
    "unpack": Command(
        "evaluator.commands.data",
        "unpack",
        "Save the pictures within data as files of their own.",
    ),
    "compare": Command(
        "evaluator.commands.compare",
        "compare",
        "Say which of several runs is better, by how much, and how sure that is.",
    ),
    "power": Command(
        "evaluator.commands.power",
        "power",
        "Say how many images one needs to see a difference of so many points.",
    ),
    "calibrate": Command(
        "evaluator.commands.calibrate",
        "calibrate",
        "Find from which confidence on a model is sure, and check it on other pictures.",
    ),
    "history": Command(
        "evaluator.commands.history",
        "history",
        "Say what runs there are, what changed from one to the next, and which is best.",
    ),
    "push": Command(
        "evaluator.commands.push",
        "push",
        "Put a run's figures on the card of the model that answered, in one commit.",
    ),
    "serve": Command(
        "evaluator.commands.predict",
        "serve",
        "Answer questions over HTTP: POST /answer, and a page to try it with.",
    ),
    "report": Command(
        "evaluator.commands.compare",
        "report",
        "Write one self-contained HTML page about one or several runs.",
    ),
}

app = application(
    "evaluator",
    "Answer questions with replicas of a model, score the answers and report them.",
    COMMANDS,
    default_events,
    examples=EXAMPLES,
    groups=GROUPS,
    once_arguments=ONCE_ARGUMENTS,
)


def main() -> None:
    """Run the command line; never returns."""
    run_program(app, "evaluator")


if __name__ == "__main__":
    main()
