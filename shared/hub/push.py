"""One push from what is to go up to the line that says where it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from shared.hub.parcel import Parcel, require_nothing_private
from shared.hub.sending import (
    Repository,
    Sent,
    found_token,
    look_at,
    require_fitting,
    require_name,
    send,
)
from shared.value_class import value_class

NO_LICENSE: Final = "none is named, so that nobody may use it; --license NAME names one"
_STEP: Final = 1000
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")


@value_class
class Order:
    """How a push is wanted: ``agreed`` to write beside other files, ``dry_run`` to send nothing."""

    private: bool = False
    dry_run: bool = False
    agreed: bool = False


def require_ready(name: str, order: Order) -> None:
    """Check name and account before the work whose result is to be pushed.

    Raises:
        InputError: the name is none, or nobody says who pushes.
    """
    if order.dry_run:
        require_name(name)
    else:
        found_token(name)


def push(
    parcel: Parcel,
    name: str,
    order: Order,
    *,
    folder: Path,
    message: str,
    tell: Callable[[str], None],
) -> Sent | None:
    """Send a parcel to a repository, new or there, and tell line by line what goes and what not.

    ``folder`` is where the files are from. A dry run asks no hub, and returns nothing.

    Raises:
        InputError: name, account or files will not do; nothing was sent.
        StoppedForNow: the hub does not answer, or is busy; the same command goes on.
    """
    if order.dry_run:
        require_name(name)
        tell_parcel(Repository(parcel.kind, name), parcel, folder=folder, tell=tell)
        return None
    require_nothing_private(parcel, token=found_token(name), folder=folder)
    repository = look_at(parcel.kind, name)
    require_fitting(parcel, repository, private=order.private, agreed=order.agreed)
    return push_to(
        repository, parcel, folder=folder, message=message, private=order.private, tell=tell
    )


def tell_parcel(
    repository: Repository, parcel: Parcel, *, folder: Path, tell: Callable[[str], None]
) -> None:
    """Tell what would go to a repository, and send nothing.

    Raises:
        InputError: files will not do.
    """
    require_nothing_private(parcel, token=None, folder=folder)
    for line in parcel_lines(parcel, f"would go to {repository.url}"):
        tell(line)


def push_to(
    repository: Repository,
    parcel: Parcel,
    *,
    folder: Path,
    message: str,
    private: bool = False,
    tell: Callable[[str], None],
) -> Sent:
    """Send a parcel to a repository as it was looked at, and tell what goes; see ``push``.

    Raises:
        InputError: account or files will not do; nothing was sent.
        StoppedForNow: the hub does not answer, or is busy, or the repository was changed meanwhile.
    """
    require_nothing_private(parcel, token=found_token(repository.name), folder=folder)
    for line in parcel_lines(parcel, f"goes to {repository.url} ({_state(repository, private)})"):
        tell(line)
    sent = send(parcel, repository, message=message, private=private)
    tell(
        f"pushed: {sent.url} (commit {sent.commit[:8]})"
        if sent.is_new
        else f"nothing new: {sent.url} has all of it since commit {sent.commit[:8]}"
    )
    return sent


def parcel_lines(parcel: Parcel, head: str) -> Iterator[str]:
    """Yield what is told of a parcel: each file with its size, the licence, and what stays here."""
    sizes = parcel.sizes
    yield f"{head}:"
    for name, size in sizes.items():
        yield f"  {name}  {size_text(size)}"
    count = len(sizes)
    yield f"  {count:,} file{'s' * (count != 1)}, {size_text(sum(sizes.values()))}"
    yield f"licence: {parcel.license_name or NO_LICENSE}"
    for line in parcel.left_out:
        yield f"left out: {line}"


def size_text(size: int) -> str:
    """Return a number of bytes as hubs tell it, by thousands."""
    power = 0 if size < _STEP else min(int(math.log(size, _STEP) + 1e-9), len(_UNITS) - 1)
    return f"{size / _STEP**power:.3g} {_UNITS[power]}" if power else f"{size} B"


def _state(repository: Repository, private: bool) -> str:
    if not repository.is_there:
        return f"new, {'private' if private else 'public'}"
    return f"is there, {'private' if repository.private else 'public'}"
