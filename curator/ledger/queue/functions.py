"""What the queues' SQL calls: numbers that are as good as random and always the same; pure."""

from __future__ import annotations

import hashlib
from typing import Final

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from shared.records import pair_id

DRAW: Final = "abo_draw"
"""The name under which SQLite has ``draw``."""
PAIR_SHARE: Final = "pair_share"
"""The name under which SQLite has ``pair_share``."""
_BITS: Final = 63


def draw(seed: int, image_path: str) -> int:
    """Return a number that is as good as random, and always the same for these two."""
    digest = hashlib.blake2b(f"{seed} {image_path}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _BITS)


def pair_share(image_path: str, question: str) -> float:
    """Return a number in [0, 1) that the id of a pair alone decides, evenly spread.

    The pairs below a share are chosen: the same ones in every run, and a larger share holds all
    of a smaller one.
    """
    salted = f"second opinion\0{pair_id(image_path, question)}"
    return int.from_bytes(hashlib.sha256(salted.encode()).digest()[:6], "big") / 2**48


def teach_functions(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Let SQL on a new connection call them."""
    connection.create_function(DRAW, 2, draw, deterministic=True)
    connection.create_function(PAIR_SHARE, 2, pair_share, deterministic=True)
