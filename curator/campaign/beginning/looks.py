"""Has near-identical images asked about once (``--once-per-look``): the first of each look.

How images look is kept in the ledger, so that each is read once, and a stop loses little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from curator.ledger import ItemLook, Ledger
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress

PAGE: Final = 256
"""Images looked at between two transactions."""
READERS: Final = 4

log = EventLog(__name__)


async def ask_once_per_look(
    images_dir: Path, ledger: Ledger, campaign_id: int, stop: AsyncStopSignal
) -> int:
    """Set aside what looks like another image of the campaign; return how many images.

    Raises:
        StopRequested: the run is to stop; what was looked at is kept.
    """
    with (
        report_progress("looking for near-identical images", await ledger.images()) as progress,
        ThreadPoolExecutor(READERS) as pool,
    ):
        after = 0
        while page := await ledger.unseen_looks(after, PAGE):
            if stop.requested:
                raise StopRequested
            looks = await asyncio.to_thread(_looks, pool, images_dir, page)
            await ledger.keep_looks(looks)
            after = page[-1][0]
            progress.advance(len(page))
    standing = await ledger.looks(campaign_id)
    alike = await asyncio.to_thread(_alike, standing)
    count = await ledger.set_aside(campaign_id, alike)
    log.info("asked_once_per_look", alike=count, of=len(standing))
    return count


_Kept = tuple[int, int | None, bytes | None]


def _looks(
    pool: ThreadPoolExecutor, images_dir: Path, page: Sequence[tuple[int, str]]
) -> list[_Kept]:
    return list(pool.map(partial(_look, images_dir), page))


def _look(images_dir: Path, item: tuple[int, str]) -> _Kept:
    # imagehash and scipy take half a second, and most runs look at nothing.
    from shared.errors import CorruptImage, StoreUnreachable  # noqa: PLC0415 - with them
    from shared.images.decoding import (  # noqa: PLC0415 - as above
        decode_image,
        large_pictures_in_turn,
        read_image_file,
    )
    from shared.images.likeness import look_of  # noqa: PLC0415 - as above

    item_id, path = item
    try:
        with large_pictures_in_turn():
            look = look_of(decode_image(read_image_file(images_dir / path), path))
    except (CorruptImage, StoreUnreachable):
        return item_id, None, None
    # SQLite's integers have a sign.
    signed = look.hash - (1 << 64) if look.hash >> 63 else look.hash
    return item_id, signed, look.thumbnail.astype("uint8").tobytes()


def _alike(standing: Sequence[ItemLook]) -> dict[int, str]:
    """Return which items wait although another one looks the same, by the path of that one."""
    import numpy as np  # noqa: PLC0415 - as above

    from shared.images.likeness import Look  # noqa: PLC0415 - as above
    from shared.images.lookalikes import Lookalikes  # noqa: PLC0415 - as above

    known = Lookalikes()
    alike: dict[int, str] = {}
    for item in standing:
        thumbnail = np.frombuffer(item.thumbnail, np.uint8).reshape(8, 8, 3).astype(np.int16)
        look = Look(item.hash & ((1 << 64) - 1), thumbnail)
        other = known.first_of(look) if item.is_waiting else None
        if other is None:
            known.add(item.path, look)
        else:
            alike[item.item_id] = other
    return alike
