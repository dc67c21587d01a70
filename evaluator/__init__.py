"""Evaluator: answers questions with replicas of a model and scores the answers.

``evaluate``, ``score``, ``compare`` and ``report`` do from Python what the commands do; see
``evaluator.api``. They are what stays; all else may change with any release.
"""

from typing import TYPE_CHECKING, Any

import shared  # noqa: F401 (first of all, see shared.torchvision_import)

if TYPE_CHECKING:
    from evaluator.api import compare, evaluate, report, score

__all__ = ["compare", "evaluate", "report", "score"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as PEP 562 has it
    """Return a function of the API, imported once it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evaluator import api  # noqa: PLC0415 - `--help` has no time for it

    return getattr(api, name)
