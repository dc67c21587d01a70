"""The ``trainer`` program: which commands it has; each is a module of ``trainer.commands``."""

from __future__ import annotations

from typing import Final

from shared.program.cli import run_program
from shared.program.command_line.application import Command, application, default_events
from shared.program.stopping import GOES_ON_WITH_RESUME
from trainer.commands.help import EXAMPLES, GROUPS, ONCE_ARGUMENTS

COMMANDS: Final = {
    "fit": Command("trainer.commands.fit", "fit", "Fine-tune a LoRA adapter by the recipe."),
    "sweep": Command(
        "trainer.commands.sweep",
        "sweep",
        "Train every combination of the recipe's sweep table, and say which settings mattered.",
    ),
    "merge": Command(
        "trainer.commands.merge",
        "merge",
        "Write W0 + BA as a plain model in 16 bits, and say what merging changed.",
    ),
    "fuse": Command(
        "trainer.commands.fuse",
        "fuse",
        "Make one adapter of several domains' adapters, and show what each domain forgot.",
    ),
    "push": Command(
        "trainer.commands.push",
        "push",
        "Send an adapter or a model to the hub that HF_ENDPOINT names, in one commit.",
    ),
    "recipe": Command(
        "trainer.commands.recipe",
        "recipe",
        "Print a recipe with every setting, what it does and its default.",
    ),
    "pretrain": Command(
        "trainer.commands.pretrain",
        "pretrain",
        "Make a small BLIP from scratch; this is how blip-vqa-tiny is made.",
    ),
    "quantize": Command(
        "trainer.commands.quantize",
        "quantize",
        "Round weights to fewer bits where that loses least, and show what each size keeps.",
    ),
    "export": Command(
        "trainer.commands.export",
        "export",
        "Write ONNX graphs that run without torch, and check their answers against the original's.",
    ),
}

app = application(
    "trainer",
    "Turn a data set into a LoRA adapter on a 4-bit base.",
    COMMANDS,
    default_events,
    examples=EXAMPLES,
    groups=GROUPS,
    once_arguments=ONCE_ARGUMENTS,
)


def main() -> None:
    """Run the command line; never returns."""
    run_program(
        app, "trainer", goes_on={"fit": GOES_ON_WITH_RESUME, "pretrain": GOES_ON_WITH_RESUME}
    )


if __name__ == "__main__":
    main()
