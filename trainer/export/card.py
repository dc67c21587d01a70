"""What an export says of itself: the card in a bundle, and the table on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from trainer.export.targets import Target

if TYPE_CHECKING:
    from trainer.export.bundle import Provenance
    from trainer.export.checking import CheckedModel, CheckedQuestions, ExportResult
    from trainer.export.variants import Variant

COLUMNS = (
    "model",
    "on disk, MB",
    "image, ms",
    "question, ms",
    "peak memory, MiB",
    "exact match",
    "same answers",
)

_RUNS = {
    "image_encoder": "once for an image",
    "question_encoder": "once for a question about it",
    "decoder_step": "once for a token of the answer",
    "classifier": "once for the questions about an image that are asked together",
    "language_model": "once for what stands before the questions about an image, then for the "
    "questions\nand for each token of their answers",
}
"""When each graph runs."""

PAGE_CARD = """
## In a browser

`index.html` is a page that answers by itself, with onnxruntime-web (MIT) and tokenizers.js
(Apache-2.0) in `libraries`. Browsers want it from a server, of plain files:

    python -m http.server --directory . --bind 127.0.0.1 8000

and open http://127.0.0.1:8000. Any place that serves files will do; nothing else is fetched.
"""


def cells(model: CheckedModel) -> tuple[str, ...]:
    """Return one row under ``COLUMNS``."""
    return (
        model.name,
        f"{model.bytes_on_disk / 1e6:.1f}",
        f"{model.encode_ms:.1f}",
        f"{model.answer_ms:.1f}",
        f"{model.peak_mib:.0f}",
        f"{model.exact_match:.4f}",
        "" if model.agreement is None else f"{model.agreement:.1%}",
    )


def export_table(result: ExportResult) -> Table:
    """Return original and variants side by side."""
    title = f"{_asked(result.questions, result.split)}, {_threads(result.threads)}"
    table = Table(*COLUMNS, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for model in result.models:
        table.add_row(*cells(model))
    return table


def bundle_card(
    provenance: Provenance,
    variant: Variant,
    target: Target,
    comparison: str,
    *,
    model_type: str,
    graphs: Iterable[str],
) -> str:
    """Return the README.md of a bundle with ``graphs``, of a model of transformers' type."""
    merged = ""
    if provenance.adapter_sha256:
        merged = f", with the adapter `{provenance.adapter_sha256[:12]}` merged in"
    runs = "\n".join(f"- `{name}` {_RUNS[name]}" for name in graphs)
    return f"""---
library_name: {target.value if target in {Target.OPENVINO, Target.LITERT} else "onnx"}
base_model: {provenance.model}
pipeline_tag: visual-question-answering
tags: [{target.value}, {model_type}, vqa, abo-vqa]
---

# {provenance.model} for {target.value}, {variant.value}

Made by `trainer export` of abo-vqa from revision `{provenance.revision}`{merged}. Its graphs
run:

{runs}

`bundle.json` says how pictures and words become numbers.

## Use

    pip install {target.engines} tokenizers numpy pillow
    python vqa.py chair.jpg "what color is the chair"

Or, with this folder on Python's path:

```python
from PIL import Image
from vqa import OnnxVqa

model = OnnxVqa(".")
image = Image.open("chair.jpg")
for answer in model.ask(image, "what color is the chair", "what is it made of"):
    print(answer.text, answer.confidence)
```

{comparison}{PAGE_CARD if target is Target.WEB else ""}"""


def comparison_section(
    questions: CheckedQuestions, threads: int, models: Sequence[CheckedModel]
) -> str:
    """Return what a card says of original and variants side by side."""
    rows = "\n".join(f"| {' | '.join(cells(model))} |" for model in models)
    return f"""## How it compares

On {_asked(len(questions.pairs), questions.split)}, with {_threads(threads)}: milliseconds
to encode an image and to answer one question about it (medians), the peak memory of a process that
answers, the share of questions answered right, and the share answered as the original does.

| {" | ".join(COLUMNS)} |
| --- | {" | ".join(["---:"] * (len(COLUMNS) - 1))} |
{rows}

The original is the model in transformers and torch, its weights computed in float32. Times are of
the machine that made this folder.
"""


def _asked(count: int, split: str) -> str:
    return " ".join(filter(None, [str(count), split, "questions"]))


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"
