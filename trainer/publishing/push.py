"""`trainer push`: a folder is checked, the repository looked at, and what others need is sent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from shared.hub.parcel import Kind
from shared.hub.push import Order, push_to, require_ready, tell_parcel
from shared.hub.sending import Repository, Sent, card_of, look_at, require_fitting
from trainer.publishing.parcel import base_note, model_parcel


def push_model(
    folder: Path,
    name: str,
    order: Order,
    *,
    scorecard: Path | None = None,
    license_name: str = "",
    tell: Callable[[str], None],
) -> Sent | None:
    """Send an adapter or a model to a repository, new or there; a dry run asks no hub.

    Raises:
        InputError: folder, scorecard, name or account will not do; nothing was sent.
        StoppedForNow: the hub does not answer, or is busy; the same command goes on.
    """
    parcel_for = partial(model_parcel, folder, name, scorecard, license_name)
    parcel = parcel_for()
    require_ready(name, order)
    if note := base_note(folder):
        tell(note)
    repository = Repository(Kind.MODEL, name)
    if order.dry_run:
        tell_parcel(repository, parcel, folder=folder, tell=tell)
        return None
    repository = look_at(Kind.MODEL, name)
    if repository.is_there:
        parcel = parcel_for(there=repository.files, card_there=card_of(repository))
    require_fitting(parcel, repository, private=order.private, agreed=order.agreed)
    return push_to(
        repository,
        parcel,
        folder=folder,
        message="Push with abo-vqa",
        private=order.private,
        tell=tell,
    )
