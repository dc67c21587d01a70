"""What tells one set of pairs from another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from shared.records import QAPair
from shared.records.boxes import boxes_json


def pairs_digest(pairs: Iterable[QAPair]) -> str:
    """Return one digest for a set of pairs, whatever their order or file format."""
    digest = PairsDigest()
    for pair in pairs:
        digest.add(pair)
    return digest.hexdigest()


class PairsDigest:
    """The digest of a set of pairs that pass by one at a time: a sum of their SHA-256 values."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, pair: QAPair) -> None:
        """Count ``pair`` in; the order does not matter."""
        fields = (pair.filename, pair.question, pair.answer, pair.split or "", *pair.answers)
        boxes = boxes_json(pair.boxes)
        fields = fields if boxes is None else (*fields, boxes)
        line = hashlib.sha256("\0".join(fields).encode())
        self._sum += int.from_bytes(line.digest(), "big")

    def hexdigest(self) -> str:
        """Return the digest as 64 hexadecimal digits."""
        return f"{self._sum % 2**256:064x}"
