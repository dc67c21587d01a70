"""Options that several commands have, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from evaluator.metrics.text_models.names import AUTOMATIC, DISTILBERT, MINILM
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS
from shared.vqa.quantization import WHAT_EACH_IS, Quantization

Model = Annotated[
    str,
    typer.Option(
        help="A model folder, a hub id or blip-vqa-tiny.", show_default="the adapter's base"
    ),
]
Adapter = Annotated[str | None, typer.Option(metavar="[NAME=]DIR", help="A PEFT adapter folder.")]
Quantized = Annotated[
    Quantization, typer.Option("--quantize", help=f"How the base is held. {WHAT_EACH_IS}.")
]
BatchSize = Annotated[int, typer.Option(help="Questions per batch.", min=1)]
SentenceModel = Annotated[
    str, typer.Option(help="SBERT model of CSNS and VTGS: a folder or a hub name.")
]
BertscoreModel = Annotated[
    str,
    typer.Option(
        help=f"Encoder of BERTScore: a folder or a hub name; {AUTOMATIC}: {DISTILBERT} "
        f"where it can be had, else {MINILM}."
    ),
]
BertscoreLayers = Annotated[int | None, typer.Option(help="Which of its layers to read.", min=1)]
NumberWords = Annotated[
    bool,
    typer.Option("--number-words", help='CSNS takes "two" for 2; the AIM825 report does not.'),
]
ClipModel = Annotated[
    str, typer.Option(help="open_clip's architecture for vtgs_clip.", show_default="ViT-B/32")
]
ClipWeights = Annotated[
    str, typer.Option(help="Its weights: a file or a tag of open_clip's.", show_default="openai")
]
MetricList = Annotated[
    str | None,
    typer.Option(
        help="Metrics with commas between them; `captioning` and `all` stand for those whose "
        "tools are installed.",
        show_default="those of the AIM825 report",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,...",
        help="Columns whose names cannot be guessed, such as answer=ground_truth,prediction=pred; "
        "split= takes a file for one without.",
    ),
]
IncludeTrainedOn = Annotated[
    bool,
    typer.Option(
        "--include-trained-on",
        help="Score images that the model was trained on too; scorecard and report say so. "
        "Else they are left out.",
    ),
]
Prompt = Annotated[
    str,
    typer.Option(
        metavar="TEMPLATE",
        help="What a question is asked in, such as '{question} Answer in one word.'",
        show_default="the model's own way",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(help="The longest answer, in tokens.", min=1, show_default=str(MAX_NEW_TOKENS)),
]
Sure = Annotated[
    Path | None,
    typer.Option(help="A file of `evaluator calibrate`: says of each answer whether it is sure."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
