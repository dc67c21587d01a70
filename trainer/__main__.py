"""The ``trainer`` program: which commands it has, and where each is."""

from __future__ import annotations

from typing import Final

from shared.program.application import Command, application, set_up_events
from shared.program.cli import run_program

_PLACE: Final = "trainer.commands"

COMMANDS: Final = {
    "fit": Command(_PLACE, "fit_command", "Fine-tune a LoRA adapter by the recipe."),
    "sweep": Command(
        _PLACE,
        "sweep_command",
        "Train every combination of the recipe's sweep table, and say which settings mattered.",
    ),
    "merge": Command(
        _PLACE,
        "merge_command",
        "Write W0 + BA as a plain model in 16 bits, and say what merging changed.",
    ),
    "fuse": Command(
        _PLACE,
        "fuse_command",
        "Make one adapter of several domains' adapters, and show what each domain forgot.",
    ),
    "recipe": Command(
        _PLACE,
        "recipe_command",
        "Print a recipe with every setting, what it does and its default.",
    ),
    "pretrain": Command(
        _PLACE,
        "pretrain_command",
        "Make a small BLIP from scratch; this is how blip-vqa-tiny is made.",
    ),
    "export": Command(
        "trainer.export.command",
        "export_command",
        "Write ONNX graphs that run without torch, and check their answers against the original's.",
    ),
}

app = application(
    "trainer", "Turn a data set into a LoRA adapter on a 4-bit base.", COMMANDS, set_up_events
)


def main() -> None:
    """Run the command line; never returns."""
    run_program(app, "trainer")


if __name__ == "__main__":
    main()
