"""What the help of each command shows besides its options: examples, and groups of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "run": (
        "curator run --catalog abo --ledger campaign.db --keys keys.toml --limit 100",
        "curator run campaign.toml --tier batch --budget-usd 20",
        "curator run campaign.toml --dry-run",
    ),
    "status": (
        "curator status --ledger campaign.db",
        "curator status --ledger campaign.db --json",
    ),
    "plan": (
        "curator plan --catalog abo --keys keys.toml --free",
        "curator plan campaign.toml --ledger trial.db",
    ),
    "fetch": ("curator fetch --catalog products.csv --out pictures",),
    "agreement": ("curator agreement > agreement.toml",),
    "keys": ("curator keys --keys keys.toml", "curator keys --model gemini-3.5-flash-lite"),
    "view": ("curator view --ledger campaign.db",),
    "review": (
        "curator review --ledger campaign.db --reviewer Ada --double 0.1",
        "curator review --ledger campaign.db --report",
    ),
    "prompt": (
        "curator prompt > prompt.toml",
        "curator prompt prompt.toml --catalog abo",
    ),
    "export": (
        "curator export --ledger campaign.db --out dataset",
        "curator export --ledger campaign.db --out pairs.csv --reviewed",
        "curator export --ledger campaign.db --out dataset --push OWNER/NAME --dry-run",
    ),
    "dataset": ("curator dataset --data pairs.csv --images abo/images/small --out dataset",),
    "reparse": ("curator reparse --ledger campaign.db --answer-words 2",),
    "repair": ("curator repair --ledger campaign.db --out saved.db",),
    "rehearse": (
        "curator rehearse --images abo/images/small",
        "curator rehearse --script faults.toml --listen 127.0.0.1:8765",
    ),
}
"""What one types, by command."""

GROUPS: Final[Mapping[str, str]] = {
    "Catalogue and pictures": "catalog data images columns only limit shuffle watch once-per-look "
    "min-pixels min-contrast min-sharpness largest hosts allow-private",
    "Ledger and results": "ledger campaign out json embed-images license write-keys cache",
    "Questions": "prompt questions answer-words views agreement verify canary language",
    "Service and models": "service endpoint keys model models thinking image-detail tier timeout "
    "concurrency requests-per-minute per-host",
    "Money and quota": "budget-usd budget-tokens on-exhausted free rpm tpm rpd latency "
    "output-tokens price-in price-out",
    "Which pairs": "reviewed min-agreement balance keep-rejected to sample seed images-at order "
    "double reviewer import report",
    "Page": "status status-token listen token",
    "Rehearsal": "script answers",
    "Hub": "push private",
    "This run": "dry-run yes retry-dead retry-keys",
}
"""The options of each group, without their dashes."""

ONCE_ARGUMENTS: Final[Mapping[str, str]] = {
    "fetch": "--catalog",
    "view": "--ledger",
    "review": "--ledger",
    "repair": "--ledger",
    "dataset": "--data",
}
"""The options whose values the first release took without their names, by command."""
