"""Brings a catalogue into the ledger: at the start and, where it is watched, as it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from curator.catalog import MAY_APPEAR, Catalog, Skipped, nothing_usable
from curator.ledger import Ledger, LeftOut
from curator.status.words import left_out_words
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.records import Listing
from shared.value_class import value_class

WATCH_EVERY_S: Final = 30.0
"""Seconds between two looks at a watched catalogue whose queue is empty."""
_COUNTED_AT_ONCE: Final = 100
"""Listings; in a terminal, to show one takes a tenth as long as to read it."""

log = EventLog(__name__)


async def import_catalog(
    catalog: Catalog, ledger: Ledger, stop: AsyncStopSignal, clock: Clock
) -> dict[str, object]:
    """Add what is new in ``catalog``, unless it is as it was; return what to log about it.

    Raises:
        InputError: a file of the catalogue is unreadable, or no listing has an image that is
            there.
        StopRequested: the run is to stop; nothing was added.
    """
    if await _is_known(catalog, ledger):
        left_out = await ledger.left_out(_source(catalog))
        return {"unchanged": True, **_told(left_out)}
    with report_progress("reading the catalogue", None) as progress:
        read = await _add(catalog, ledger, stop, clock, progress.advance)
    return {"added": read.added, **_told(read.left_out)}


async def next_look(catalog: Catalog, ledger: Ledger, stop: AsyncStopSignal, clock: Clock) -> int:
    """Wait a while, then add what is new in a watched catalogue; return how many images.

    Raises:
        StopRequested: the run is to stop.
    """
    await stop.sleep(clock, WATCH_EVERY_S)
    try:
        if await _is_known(catalog, ledger):
            return 0
        read = await _add(catalog, ledger, stop, clock, lambda _: None)
    except InputError as error:
        # Someone may be writing it just now; the next look tells.
        log.warning("catalogue_unreadable", reason=str(error))
        return 0
    if read.added:
        log.info("catalogue_changed", added=read.added, **_told(read.left_out))
    return read.added


async def _is_known(catalog: Catalog, ledger: Ledger) -> bool:
    fingerprint = _state(catalog)
    last_imported = await ledger.known_fingerprint(_source(catalog))
    if fingerprint is None or last_imported != fingerprint:
        return False
    # Files that were not there may have come since.
    return not MAY_APPEAR & {entry.reason for entry in await ledger.left_out(_source(catalog))}


def _source(catalog: Catalog) -> str:
    return str(catalog.path.resolve())


@value_class
class _Read:
    """How many images were new, and what was left out."""

    added: int
    left_out: Sequence[LeftOut]


def _told(left_out: Iterable[LeftOut]) -> dict[str, object]:
    """Return what to log of what was left out: nothing where nothing was."""
    words = "; ".join(map(left_out_words, left_out))
    return {"left_out": words} if words else {}


async def _add(
    catalog: Catalog,
    ledger: Ledger,
    stop: AsyncStopSignal,
    clock: Clock,
    count: Callable[[int], None],
) -> _Read:
    # Taken before the reading: what changes meanwhile is seen the next time.
    fingerprint = _state(catalog)
    skipped = Skipped()

    def counted() -> Iterator[Listing]:
        listings, number = catalog.listings(skipped), 0
        while some := list(islice(listings, _COUNTED_AT_ONCE)):
            if stop.requested:
                raise StopRequested
            number += len(some)
            count(len(some))
            yield from some
        if not number:
            # Within the transaction, so that nothing is written.
            raise nothing_usable(catalog, skipped)

    added = await ledger.add_catalog(
        _source(catalog),
        fingerprint,
        str(catalog.images_dir.resolve()),
        counted(),
        clock.now(),
        left_out=lambda: [LeftOut(*entry) for entry in skipped.told()],
    )
    return _Read(added, [LeftOut(*entry) for entry in skipped.told()])


def _state(catalog: Catalog) -> str | None:
    fingerprint = catalog.fingerprint()
    return f"{fingerprint} {catalog.images_dir.resolve()}" if fingerprint else None
