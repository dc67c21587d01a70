"""Which questions an export is checked with, and how far a variant's answers are the original's."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.corpus import NO_COLUMNS, ColumnNames, read_pairs
from shared.dataset.training_images import Recogniser, TrainingImages
from shared.dataset.units import units_of
from shared.errors import AboVqaError, InputError
from shared.images.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.names import is_file_below, with_file_names
from shared.images.source import ImageFolder
from shared.program.reporting.event_log import EventLog
from shared.questions.answers import exact_match
from shared.records import QAPair
from shared.records.grouping import by_image
from trainer.export.measure import ImageQuestions, Measurement
from trainer.fitting.record import require_record
from trainer.merging.domains import kept_domain

log = EventLog(__name__)

SEED = 0
SPLITS = ("test", "validation")


class AnswersDiffer(AboVqaError):
    """The float32 graphs do not answer as the original does."""


@dataclass(frozen=True, slots=True)
class CheckedQuestions:
    """Pairs image by image, and the folder of their images; ``split`` is empty without splits."""

    pairs: tuple[QAPair, ...]
    images: Path
    split: str

    def asked(self) -> list[ImageQuestions]:
        """Return each image with its questions, in the pairs' order."""
        return [
            ImageQuestions(str(self.images / name), tuple(pair.question for pair in pairs))
            for name, pairs in by_image(self.pairs).items()
        ]

    def exact_match(self, answers: Sequence[str]) -> float:
        """Return the share of answers that are right, in [0, 1]."""
        right = sum(
            exact_match(answer, pair.answer)
            for answer, pair in zip(answers, self.pairs, strict=True)
        )
        return right / len(self.pairs)


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """One row of the table: ``agreement`` is the share of answers equal to the original's."""

    name: str
    bytes_on_disk: int
    encode_ms: float
    answer_ms: float
    peak_mib: float
    exact_match: float
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written and how it answers: the original first, then every variant."""

    folder: Path
    bundles: tuple[Path, ...]
    questions: int
    split: str
    threads: int
    models: tuple[CheckedModel, ...]


def kept_questions(adapter: Path, images: Path | None, wanted: int) -> CheckedQuestions:
    """Draw from the held-out pairs beside an adapter.

    Raises:
        InputError: the pairs or their images are not there.
    """
    domain = kept_domain(adapter, require_record(adapter), images)
    return CheckedQuestions(_drawn(domain.held_out, wanted), domain.images, domain.split)


def questions_of(
    data: Path,
    images: Path,
    wanted: int,
    training: TrainingImages | None = None,
    columns: ColumnNames = NO_COLUMNS,
) -> CheckedQuestions:
    """Draw from the test split of ``data``, else its validation split, else from all of it.

    Images that ``known`` holds, those that the weights were trained on, are left out; those that
    only the base was pretrained on where others remain.

    Raises:
        InputError: the pairs or their images are not there, or all of them were trained on.
    """
    pairs = with_file_names(read_pairs(data, columns), images, data)
    split = next((name for name in SPLITS if any(pair.split == name for pair in pairs)), "")
    asked = [pair for pair in pairs if not split or pair.split == split]
    if training is not None:
        asked = _unseen(asked, data, images, training)
    drawn = _drawn(asked, wanted)
    missing = [pair.filename for pair in drawn if not is_file_below(images, pair.filename)]
    if missing:
        raise InputError(f"--images {images}: lacks {missing[0]}, which {data} asks about")
    return CheckedQuestions(drawn, images, split)


def _unseen(
    pairs: Sequence[QAPair], data: Path, images: Path, training: TrainingImages
) -> list[QAPair]:
    prints = fingerprints(ImageFolder(images), {pair.filename for pair in pairs})
    units = units_of(pairs, looks_of(prints))

    def without(trained: Sequence[Fingerprint], some: Sequence[QAPair]) -> list[QAPair]:
        recogniser = Recogniser(trained)
        seen = {units[name] for name, image in prints.items() if recogniser.knows(image)}
        return [pair for pair in some if units[pair.filename] not in seen]

    left = without(training.trained_on, pairs)
    if not left:
        raise InputError(
            f"--data {data}: the model was trained on all of its images, so that no exact match "
            "would be honest; give data that it has not seen"
        )
    if len(left) < len(pairs):
        log.warning("images_trained_on", became="left out", rows=len(pairs) - len(left))
    unseen = without(training.pretrained_on, left)
    if len(unseen) < len(left):
        became = "left out" if unseen else "asked about; exact match is none on unseen images"
        log.warning("images_pretrained_on", became=became, rows=len(left) - len(unseen))
    return unseen or left


def checked(
    name: str,
    size: int,
    measured: Measurement,
    questions: CheckedQuestions,
    original: Measurement | None = None,
) -> CheckedModel:
    """Sum up one model's measurement beside that of the original."""
    agreement = None
    if original is not None:
        equal = map(str.__eq__, measured.answers, original.answers)
        agreement = sum(equal) / len(original.answers)
    return CheckedModel(
        name=name,
        bytes_on_disk=size,
        encode_ms=measured.encode_ms,
        answer_ms=measured.answer_ms,
        peak_mib=measured.peak_mib,
        exact_match=questions.exact_match(measured.answers),
        agreement=agreement,
    )


def require_equal(
    measured: Measurement, original: Measurement, questions: CheckedQuestions
) -> None:
    """Check that every answer is the original's.

    Raises:
        AnswersDiffer: one is not.
    """
    rows = zip(questions.pairs, measured.answers, original.answers, strict=True)
    differing = [row for row in rows if row[1] != row[2]]
    if differing:
        pair, answer, before = differing[0]
        raise AnswersDiffer(
            f"{len(differing)} of {len(questions.pairs)} answers of the float32 graphs differ from "
            f"the original's, such as {answer!r} instead of {before!r} to {pair.question!r} about "
            f"{pair.filename}; nothing was written"
        )


def _drawn(pairs: Sequence[QAPair], wanted: int) -> tuple[QAPair, ...]:
    """Return ``wanted`` pairs or all of them, image by image, in an order that a seed decides."""
    groups = by_image(pairs)
    names = sorted(groups)
    random.Random(SEED).shuffle(names)
    return tuple(pair for name in names for pair in groups[name])[:wanted]
