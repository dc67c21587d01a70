"""One replica behind HTTP: questions come in, are answered in batches, and go out again.

Public names: ``Limits`` and ``serve``.
"""

from evaluator.serve.serving import Limits, serve

__all__ = ["Limits", "serve"]
