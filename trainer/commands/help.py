"""What the help of each command shows besides its options: examples, and groups of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "fit": (
        "trainer fit recipe.toml",
        "trainer fit recipe.toml --data dataset --out adapter --set epochs=5",
        "trainer fit recipe.toml --dry-run",
    ),
    "sweep": ("trainer sweep recipe.toml --out sweep",),
    "merge": ("trainer merge --adapter adapter --out merged",),
    "fuse": ("trainer fuse --adapter chairs=runs/chairs --adapter lamps=runs/lamps --out fused",),
    "push": ("trainer push adapter OWNER/NAME --scorecard runs/adapter --dry-run",),
    "quantize": ("trainer quantize --model blip-vqa-tiny --bits 3.0 --data dataset --out small",),
    "recipe": ("trainer recipe > recipe.toml", "trainer recipe pretrain > pretrain.toml"),
    "pretrain": ("trainer pretrain pretrain.toml --dry-run",),
    "export": (
        "trainer export --adapter adapter --out bundle --variant int8",
        "trainer export --model blip-vqa-tiny --out bundle",
    ),
}
"""What one types, by command."""

GROUPS: Final[Mapping[str, str]] = {
    "Data": "data images columns sample",
    "Model": "adapter model variant method weights density seed",
    "Quantisation": "budget-mb bits questions check-questions",
    "Machine": "devices threads",
    "Results": "out json to node-modules litert-python",
    "Hub": "scorecard license private yes",
    "This run": "set resume dry-run describe-only",
}
"""The options of each group, without their dashes."""

ONCE_ARGUMENTS: Final[Mapping[str, str]] = {
    "merge": "--adapter",
    "fuse": "--adapter",
    "export": "--adapter",
    "quantize": "--model",
}
"""The options whose values the first release took without their names, by command."""
