"""Tables of products, and what is read of them."""

from __future__ import annotations

import csv
import io


def table(*rows: tuple[str, ...], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def places(listings) -> list[tuple[str, str]]:
    return [(product, path) for product, path, _ in listings]
