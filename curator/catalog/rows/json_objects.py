"""Rows in JSON: an object a line, a list of objects, or one text that holds such a list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from curator.catalog.rows.json_products import Object, is_wrapping, products_in
from curator.catalog.rows.row import Rows, rows_of_objects
from shared.errors import InputError
from shared.records.json_values import json_value


def json_rows(file: TextIO, path: Path) -> Rows:
    """Return the rows of ``file``, which is called ``path``.

    Raises:
        InputError: it is not JSON, or holds no objects.
    """
    return rows_of_objects(_objects(file, path))


def _objects(file: TextIO, path: Path) -> Iterator[tuple[int, Object]]:
    lines = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    number, first = next(lines, (1, ""))
    value = _parsed(first)
    second = next(lines, None)
    if not isinstance(value, dict) or second is None:
        rest = "" if second is None else second[1] + file.read()
        yield from enumerate(_whole(first + rest, path, number), start=1)
        return
    yield from _of_line(value, number, path)
    yield from _of_line(_parsed(second[1]), second[0], path)
    for number, line in lines:
        yield from _of_line(_parsed(line), number, path)


def _of_line(value: object, number: int, path: Path) -> Iterator[tuple[int, Object]]:
    if not isinstance(value, dict):
        what = "not JSON" if value is None else "not a JSON object"
        raise InputError(f"{path}: line {number} is {what}")
    # A line may be a page of an answer.
    products = products_in(value) if is_wrapping(value) else [value]
    for product in products:
        yield number, product


def _whole(text: str, path: Path, line: int) -> list[Object]:
    """Return the products of one JSON text; a single object without any list is one itself."""
    if not text.strip():
        raise InputError(f"{path}: is empty; give a list of JSON objects, one for each product")
    try:
        value = json_value(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: {_place(error, line)}; have it written anew") from error
    products = [*products_in(value)]
    if not products and isinstance(value, dict) and value:
        products = [value]
    if not products:
        raise InputError(f"{path}: holds no list of JSON objects, one for each product")
    return products


def _place(error: Exception, first_line: int) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if not isinstance(error, json.JSONDecodeError):
        return "holds a number that is too long"
    return f"line {first_line + error.lineno - 1} is not JSON ({error.msg}, column {error.colno})"


def _parsed(text: str) -> Any:  # noqa: ANN401 - whatever it holds
    try:
        return json_value(text)
    except (ValueError, RecursionError):
        return None
