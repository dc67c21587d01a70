"""What the queues' SQL calls: numbers that are as good as random and always the same; pure."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Final

from shared.records import pair_id

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


def teach_functions(connection: sqlite3.Connection) -> None:
    """Let SQL on a new connection call ``draw``, as ``abo_draw``, and ``pair_share``."""
    connection.create_function("abo_draw", 2, draw, deterministic=True)
    connection.create_function("pair_share", 2, pair_share, deterministic=True)
