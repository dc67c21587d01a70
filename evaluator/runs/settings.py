"""What ``evaluator run`` and ``evaluator score`` are asked for: a value that can be typed again.

The fields are the parameters of the commands, by the same names. A run folder keeps them, and the
report shows the command that makes the run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import ClassVar, Self

from pydantic import field_validator

from evaluator.answering.named_adapters import AdapterChoice, parse_adapters
from evaluator.endpoints.address.options import (
    IN_FLIGHT,
    LONGEST_PX,
    TIMEOUT_S,
    AddressOptions,
)
from evaluator.judging.options import JudgeOptions
from evaluator.metrics.choice import has_tool, parse_metrics
from evaluator.metrics.meaning.judge import METRIC as JUDGE
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.names import AUTOMATIC, MINILM
from evaluator.robustness.changes import Change, parse_changes
from evaluator.runs.command_settings import CommandSettings
from evaluator.runs.places import whole_file, whole_place
from evaluator.runs.rows.choices import SHUFFLE_SAMPLE, SplitChoice
from evaluator.runs.rows.trained_on import TrainedOn
from shared.corpus import ColumnNames, parse_columns
from shared.endpoints.models.asked_settings import Thinking
from shared.endpoints.models.prices import Price
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError
from shared.vqa.adapting.adapter_base import model_or_base
from shared.vqa.inputs.instruction import Instruction, checked_instruction
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization


class ScoringSettings(CommandSettings):
    """How answers are scored: the options that both commands have."""

    metrics: str | None = None
    columns: str | None = None
    train: str | None = None
    include_trained_on: bool = False
    sentence_model: str = MINILM
    bertscore_model: str = AUTOMATIC
    bertscore_layers: int | None = None
    number_words: bool = False
    clip_model: str = ""
    clip_weights: str = ""
    judge: str | None = None
    judge_endpoint: str | None = None
    judge_service: Service | None = None
    judge_keys: Path | None = None
    judge_rubric: Path | None = None
    judge_thinking: Thinking | None = None
    judge_extra_body: str = ""
    judge_in_flight: int = IN_FLIGHT
    judge_cache: Path | None = None
    as_json: bool = False

    places: ClassVar[Sequence[str]] = (
        "train",
        "sentence_model",
        "bertscore_model",
        "clip_model",
        "clip_weights",
        "judge_rubric",
    )
    placeholders: ClassVar[Mapping[str, str]] = {
        "images": "IMAGES",
        "out": "RUN",
        "judge_endpoint": "URL",
        "judge_keys": "FILE",
        "judge_cache": "FILE",
    }

    @property
    def named_metrics(self) -> Sequence[Metric] | None:
        """Return the metrics that are named; ``None`` where the data decides.

        Raises:
            InputError: one of them is unknown, or asks a judge that nobody named.
        """
        if self.metrics is None:
            return None
        named = parse_metrics(self.metrics, has_tool)
        if JUDGE in named and self.judge is None:
            raise InputError(f"--metrics {JUDGE}: name the model that judges: --judge MODEL")
        return self.with_judge(named)

    def with_judge(self, metrics: Sequence[Metric]) -> Sequence[Metric]:
        """Return metrics with the judge's among them, where there is one."""
        if self.judge is None or JUDGE in metrics:
            return metrics
        return (*metrics, JUDGE)

    @property
    def judge_options(self) -> JudgeOptions | None:
        """Return what is asked for of a judge; ``None`` for none.

        Raises:
            InputError: an option would say nothing, for want of a judge.
        """
        names = [field.name for field in fields(JudgeOptions)]
        options = JudgeOptions(**{name: getattr(self, name) for name in names})
        return options.or_none()

    @property
    def named_columns(self) -> ColumnNames:
        """Return the column of each field that is named.

        Raises:
            InputError: one of them is no field.
        """
        return parse_columns(self.columns)

    @property
    def trained_on(self) -> TrainedOn:
        """Return what becomes of images that the model was trained on."""
        return TrainedOn.INCLUDED if self.include_trained_on else TrainedOn.LEFT_OUT

    def _whole_places(self) -> dict[str, object]:
        return {
            "train": self.train and whole_place(self.train),
            "sentence_model": whole_place(self.sentence_model),
            "bertscore_model": whole_place(self.bertscore_model, but=AUTOMATIC),
            "clip_weights": whole_file(self.clip_weights),
            "judge_keys": self.judge_keys and self.judge_keys.resolve(),
            "judge_rubric": self.judge_rubric and self.judge_rubric.resolve(),
            "judge_cache": self.judge_cache and self.judge_cache.resolve(),
        }


class ScoreSettings(ScoringSettings):
    """What ``evaluator score`` is asked for; see its ``--help``."""

    predictions: tuple[str, ...]
    data: str | None = None
    images: str | None = None
    out: Path | None = None

    argument: ClassVar[str] = "predictions"
    places: ClassVar[Sequence[str]] = (*ScoringSettings.places, "predictions", "data")

    def _whole_places(self) -> dict[str, object]:
        return super()._whole_places() | {
            "predictions": tuple(map(whole_place, self.predictions)),
            "data": self.data and whole_place(self.data),
            "images": self.images and whole_place(self.images),
            "out": self.out and self.out.resolve(),
        }


class RunSettings(ScoringSettings):
    """What ``evaluator run`` is asked for; see its ``--help``."""

    data: str
    model: str = ""
    out: Path
    images: str | None = None
    adapter: tuple[str, ...] = ()
    endpoint: str | None = None
    service: Service | None = None
    keys: Path | None = None
    in_flight: int = IN_FLIGHT
    timeout: float = TIMEOUT_S
    image_px: int = LONGEST_PX
    thinking: Thinking | None = None
    extra_body: str = ""
    price_in: float | None = None
    price_out: float | None = None
    price_per_hour: float | None = None
    quantize: Quantization = Quantization.NF4
    prompt: str = ""
    max_new_tokens: int | None = None
    replicas: int = 1
    gpus_per_replica: float | None = None
    address: str | None = None
    split: SplitChoice = SplitChoice.AUTO
    limit: int | None = None
    batch_size: int = 64
    shuffle_images: int = 0
    shuffle_sample: int = SHUFFLE_SAMPLE
    robustness: str | None = None
    robustness_sample: int = SHUFFLE_SAMPLE
    name: str | None = None

    places: ClassVar[Sequence[str]] = (*ScoringSettings.places, "data", "model", "adapter")
    placeholders: ClassVar[Mapping[str, str]] = {
        **ScoringSettings.placeholders,
        "address": "ADDRESS",
        "endpoint": "URL",
        "keys": "FILE",
    }
    of_replicas: ClassVar[Sequence[str]] = (
        *("quantize", "replicas", "gpus_per_replica", "address", "batch_size"),
    )
    """Fields that say nothing to a model behind an address."""

    @field_validator("adapter", mode="before")
    @classmethod
    def _none_given(cls, value: object) -> object:
        # The parser's word for an option that may be given several times and is not.
        return () if value is None else value

    @property
    def run_name(self) -> str:
        """Return what reports call the run."""
        return self.name or self.out.resolve().name

    @property
    def address_options(self) -> AddressOptions:
        """Return what is asked for of an address."""
        renamed = {"concurrency": "in_flight"}
        names = {each.name: renamed.get(each.name, each.name) for each in fields(AddressOptions)}
        return AddressOptions(**{option: getattr(self, name) for option, name in names.items()})

    def with_model(self) -> Self:
        """Return the same with its model found, or with the base of its adapters for one.

        Raises:
            InputError: there is none, no such model, or an option that would say nothing.
        """
        self.require_sense()
        if self.address_options.is_given:
            if not self.model:
                raise InputError("--model: give the model's name at the address")
            return self
        adapters = self.adapters.folders
        return self.model_copy(update={"model": model_or_base(self.model, adapters)})

    def require_sense(self) -> None:
        """Check that no option is given that would say nothing.

        Raises:
            InputError: one is, or half of a price.
        """
        defaults = type(self).model_fields
        given = [name for name in self.of_replicas if getattr(self, name) != defaults[name].default]
        self.address_options.require_sense(given)
        # Refused before anything is read.
        _ = self.changes, self.judge_options
        if self.robustness is None and self.robustness_sample != SHUFFLE_SAMPLE:
            raise InputError(
                "--robustness-sample: goes with --robustness; give that, or leave it out"
            )
        if (self.price_in is None) != (self.price_out is None):
            raise InputError("--price-in and --price-out: give both, in dollars a million tokens")
        if self.price_in is not None and not self.address_options.is_given:
            raise InputError("--price-in: goes with --endpoint URL; give that, or leave it out")

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the changes under which questions are asked again.

        Raises:
            InputError: one is unknown, or its strength impossible.
        """
        return () if self.robustness is None else parse_changes(self.robustness)

    @property
    def given_price(self) -> Price | None:
        """Return the price of tokens that is given."""
        if self.price_in is None or self.price_out is None:
            return None
        return Price(self.price_in, self.price_out)

    @property
    def adapters(self) -> AdapterChoice:
        """Return the adapters that are named.

        Raises:
            InputError: several without a name, or one name twice.
        """
        return parse_adapters(self.adapter)

    @property
    def instruction(self) -> Instruction:
        """Return how the model is asked.

        Raises:
            InputError: the template does not say where the question goes.
        """
        return checked_instruction(self.prompt, self.max_new_tokens)

    def _whole_places(self) -> dict[str, object]:
        places = super()._whole_places() | {
            "data": whole_place(self.data),
            "images": self.images and whole_place(self.images),
            "out": self.out.resolve(),
        }
        if self.address_options.is_given:
            # Model and adapters are names there.
            return places | {"keys": self.keys and self.keys.resolve()}
        adapters = self.adapters
        words = [f"{name}={folder.resolve()}" for name, folder in adapters.named.items()]
        return places | {
            "model": whole_place(self.model, but=EMBEDDED_MODEL),
            "adapter": tuple(
                words if adapters.single is None else [str(adapters.single.resolve())]
            ),
        }
