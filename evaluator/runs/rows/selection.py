"""Which pairs a run scores, and which ones its question-only prior may learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.runs.rows.choices import SplitChoice
from evaluator.runs.rows.trained_on import Counts
from shared.corpus import NO_COLUMNS, ColumnNames, read_pairs
from shared.errors import InputError
from shared.images.names import find_images, with_file_names
from shared.records import QAPair


@dataclass(frozen=True)
class Selection:
    """Pairs to score, with the split they are of, and pairs for the prior (may be none).

    ``everything`` are all rows of the data: they tell which images belong to one product.
    ``trained_on`` counts what the model was trained on, see ``unseen``; ``None`` where nothing is
    known.
    """

    split: SplitChoice
    pairs: Sequence[QAPair]
    train_pairs: Sequence[QAPair]
    everything: Sequence[QAPair]
    trained_on: Counts | None = None

    def first_images(self, limit: int | None) -> Selection:
        """Return the same of at most ``limit`` images, the first by name."""
        if limit is None:
            return self
        first = set(sorted({pair.filename for pair in self.pairs})[:limit])
        return replace(self, pairs=[pair for pair in self.pairs if pair.filename in first])


def select_pairs(
    data: Path,
    split: SplitChoice,
    *,
    images: str,
    train: Path | None = None,
    columns: ColumnNames = NO_COLUMNS,
) -> Selection:
    """Read ``data`` and choose.

    Args:
        data: a data set folder or a file of pairs.
        split: which part to score.
        images: the folder or URL of the pictures, whose files the pairs come to name.
        train: data for the prior; by default the training split of ``data``.
        columns: columns that go by no name that is known.

    Raises:
        InputError: unreadable data, an empty choice, or training data with scored images in it.
    """
    pairs = with_file_names(read_pairs(data, columns), images, data)
    has_splits = any(pair.split is not None for pair in pairs)
    if split is SplitChoice.AUTO:
        split = SplitChoice.TEST if has_splits else SplitChoice.ALL
    chosen = [pair for pair in pairs if split is SplitChoice.ALL or pair.split == split.value]
    if not chosen:
        raise InputError(f"{data}: no pair in split {split.value!r}; give another --split")
    if train is not None:
        learned = training_pairs(train, images, columns)
        refuse_leak(data, chosen, train, learned)
    elif split in {SplitChoice.TEST, SplitChoice.VALIDATION}:
        learned = [pair for pair in pairs if pair.split == "train"]
    else:
        learned = []
    return Selection(split, chosen, learned, pairs)


def training_pairs(
    path: Path, images: Path | str | None = None, columns: ColumnNames = NO_COLUMNS
) -> list[QAPair]:
    """Return the training split of a data set, or all pairs where it has no splits.

    Where ``images`` is given, pairs come to name the files in it, so that leaks are seen.

    Raises:
        InputError: the data has splits but no training pair.
    """
    pairs = read_pairs(path, {field: columns[field] for field in columns if field != "prediction"})
    if images is not None:
        pairs = find_images((pair.filename for pair in pairs), images).renamed(pairs)
    if all(pair.split is None for pair in pairs):
        return pairs
    chosen = [pair for pair in pairs if pair.split == "train"]
    if not chosen:
        raise InputError(f"{path}: has no pair in split 'train' for the question-only prior")
    return chosen


def refuse_leak(
    path: Path, scored: Sequence[QAPair], train: Path, train_pairs: Sequence[QAPair]
) -> None:
    """Check that the prior learns from no image that is scored.

    Raises:
        InputError: ``train`` holds images of ``path``.
    """
    common = {pair.filename for pair in scored} & {pair.filename for pair in train_pairs}
    if common:
        raise InputError(
            f"--train {train}: holds {len(common)} of the images scored in {path}; "
            "a prior must not learn from them: give a training set split by product"
        )
