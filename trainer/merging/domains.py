"""A domain: the held-out pairs that an adapter keeps beside it, and how well a model answers them.

Of the kept splits it is the test split; where that is empty, the validation split, which has
decided which epoch was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.corpus import read_pairs
from shared.dataset.training_images import Recogniser, read_training_images
from shared.errors import InputError
from shared.images.fingerprints import Fingerprint, fingerprints
from shared.images.source import ImageFolder
from shared.records import QAPair
from shared.vqa.answerer import Answerer
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.fitting.record import DATASET, RunRecord

BATCH = 16


@dataclass(frozen=True)
class Domain:
    """Pairs that an adapter was not trained on, and those that it was."""

    name: str
    images: Path
    split: str
    held_out: tuple[QAPair, ...]
    trained_on: tuple[QAPair, ...]


def kept_domain(adapter: Path, record: RunRecord, images: Path | None) -> Domain:
    """Read the domain beside an adapter; ``images`` is where training found them unless given.

    Raises:
        InputError: the pairs or their images are not there.
    """
    pairs = read_pairs(adapter / DATASET)
    by_split = {
        split: tuple(pair for pair in pairs if pair.split == split)
        for split in ("train", "validation", "test")
    }
    split = "test" if by_split["test"] else "validation"
    folder = images or (adapter / record.images).resolve()
    missing = [pair.filename for pair in by_split[split] if not (folder / pair.filename).is_file()]
    if missing:
        raise InputError(
            f"{adapter}: {len(missing)} of {len(by_split[split])} {split} pairs have no image in "
            f"{folder}, such as {missing[0]}; say with --images where they are"
        )
    return Domain(adapter.resolve().name, folder, split, by_split[split], by_split["train"])


def exact_match_in(domain: Domain, answerer: Answerer[Any, Any], told: str) -> float:
    """Return the share of the domain's held-out pairs that ``answerer`` answers exactly.

    Progress goes by the name ``told``.
    """
    remember = seen_anew(answerer, domain.images)
    return held_out_exact_match(answerer, remember, domain.held_out, BATCH, told)


def unseen_by_all(domains: Sequence[Domain], adapters: Sequence[Path]) -> list[Domain]:
    """Return the domains without held-out images that the adapter of any domain was trained on.

    Near-identical images count as the same one.

    Raises:
        InputError: nothing is left of a domain.
    """
    seen = Recogniser(
        [
            image
            for domain, adapter in zip(domains, adapters, strict=True)
            for image in _trained_on(domain, adapter)
        ]
    )
    unseen = []
    for domain in domains:
        prints = _prints(domain, domain.held_out)
        trained = {name for name, image in prints.items() if seen.knows(image)}
        pairs = tuple(pair for pair in domain.held_out if pair.filename not in trained)
        if not pairs:
            raise InputError(
                f"{domain.name}: every held-out image was trained on by another adapter, so that "
                "no score would be honest; split both data sets by the same rule and train again"
            )
        unseen.append(replace(domain, held_out=pairs))
    return unseen


def _trained_on(domain: Domain, adapter: Path) -> Sequence[Fingerprint]:
    """Return what the adapter keeps of its training images; of an old one, what is still there."""
    images = read_training_images(adapter)
    if images is not None:
        return images.trained_on
    return list(_prints(domain, domain.trained_on).values())


def _prints(domain: Domain, pairs: Sequence[QAPair]) -> dict[str, Fingerprint]:
    return fingerprints(ImageFolder(domain.images), {pair.filename for pair in pairs})
