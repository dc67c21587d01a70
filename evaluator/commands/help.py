"""What the help of each command shows besides its options: examples, and groups of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "score": (
        "evaluator score predictions.csv",
        "evaluator score mine.csv theirs.csv --data dataset --out runs",
        "evaluator score mine.csv --judge gemini-3.5-flash-lite --judge-service gemini",
    ),
    "run": (
        "evaluator run --data dataset --model blip-vqa-tiny --out runs/base",
        "evaluator run --data dataset --adapter adapter --out runs/tuned",
        "evaluator run --data dataset --service gemini --model gemini-3.5-flash-lite --dry-run",
    ),
    "status": ("evaluator status runs/base",),
    "predict": (
        "evaluator predict --adapter adapter --image chair.jpg --question 'What colour is it?'",
        "evaluator predict --adapter adapter --data questions.csv --out answers.csv",
    ),
    "check": ("evaluator check --data dataset",),
    "unpack": ("evaluator unpack --data packed.parquet --out unpacked",),
    "compare": (
        "evaluator compare runs/base runs/tuned",
        "evaluator compare runs/base runs/tuned --metric exact_match --fail-below -0.01",
    ),
    "power": ("evaluator power --points 2", "evaluator power runs/base runs/tuned --points 1"),
    "calibrate": (
        "evaluator calibrate runs/validation --check runs/test --accuracy 0.9 --out sure.json",
    ),
    "history": ("evaluator history runs --out history.html",),
    "push": ("evaluator push runs/adapter OWNER/NAME --dry-run",),
    "serve": ("evaluator serve --adapter adapter --listen 127.0.0.1:8000",),
    "report": ("evaluator report runs/base runs/tuned --out report.html",),
}
"""What one types, by command."""

GROUPS: Final[Mapping[str, str]] = {
    "Data": "data images columns split limit train include-trained-on image question",
    "Model": "model adapter quantize prompt max-new-tokens",
    "Model behind an address": "endpoint service keys concurrency timeout image-px thinking "
    "extra-body price-in price-out",
    "Machines": "replicas gpus-per-replica address batch-size price-per-hour queue",
    "Metrics": "metrics metric sentence-model bertscore-model bertscore-layers number-words "
    "clip-model clip-weights shuffle-images shuffle-sample "
    "robustness robustness-sample",
    "A model as the judge": "judge judge-endpoint judge-service judge-keys judge-rubric "
    "judge-thinking judge-extra-body judge-concurrency judge-cache",
    "Results": "out name json submission sure page-only",
    "What is wanted": "check accuracy coverage fail-below",
    "Supposed without runs": "points chance changed questions alike",
    "Page": "listen token",
    "Hub": "predictions report yes",
    "This run": "dry-run",
}
"""The options of each group, without their dashes."""

ONCE_ARGUMENTS: Final[Mapping[str, str]] = {
    "check": "--data",
    "unpack": "--data",
}
"""The options whose values the first release took without their names, by command."""
