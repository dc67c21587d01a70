"""Finds the rows of a damaged file: along its trees, and in pages that no tree leads to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from curator.ledger import database
from curator.ledger.repair.cells import Damaged, Row, TreePage, Value
from curator.ledger.repair.pages import Pages
from curator.ledger.repair.shapes import SCHEMA, Shape, shapes_of
from curator.ledger.repair.stash import Stash
from shared.value_class import value_class

_SCHEMA_COLUMNS: Final = 5
_AT_ONCE: Final = 1_000
"""Rows that are put aside together."""


@value_class
class Salvage:
    """What was found: the rows of each table, as they come, and how much of it cannot be read.

    ``lost_pages`` counts by table the pages that its tree names and that are not its pages any
    more, ``lost_rows`` the rows of other pages that cannot be read; ``stray_pages`` are pages with
    rows of which nobody can tell whose they are.
    """

    shapes: Mapping[str, Shape]
    rows: Stash
    lost_pages: Mapping[str, int]
    lost_rows: Mapping[str, int]
    stray_pages: int

    def is_damaged(self, table: str) -> bool:
        """Return whether any of a table is known to be lost."""
        return bool(self.lost_pages.get(table) or self.lost_rows.get(table))


def salvaged(path: Path) -> Salvage:
    """Return what can be read of the ledger at ``path``, which may be gone or empty."""
    return _Search(Pages(path)).found()


@dataclass
class _Search:
    """The pages that are looked through, and what came of it so far."""

    pages: Pages
    seen: set[int] = field(default_factory=set)
    rows: Stash = field(default_factory=Stash)
    lost_pages: Counter[str] = field(default_factory=Counter)
    lost_rows: Counter[str] = field(default_factory=Counter)
    stray_pages: int = 0

    def found(self) -> Salvage:
        roots, shapes = self._schema()
        # What is known goes first: of two rows with one key, the first is kept.
        for name, root in roots.items():
            if name in shapes:
                self._follow(shapes[name], root)
        self.seen.update(self.pages.free())
        for number in range(1, self.pages.count + 1):
            if number not in self.seen:
                self._look_at(number, [SCHEMA, *shapes.values()])
        return Salvage(shapes, self.rows, self.lost_pages, self.lost_rows, self.stray_pages)

    def _schema(self) -> tuple[Mapping[str, int], Mapping[str, Shape]]:
        """Return where the trees begin, and their shapes: without a schema, those of today."""
        rows = [row.values for row in self._rows_below("schema", 1, is_of_table=True) if row]
        told = [values for values in rows if len(values) == _SCHEMA_COLUMNS]
        # Tables before their indexes.
        told.sort(key=lambda values: values[0] != "table")
        shapes = shapes_of(str(sql) for *_, sql in told if sql)
        roots = {
            str(name): root
            for kind, name, _, root, _ in told
            if kind in {"table", "index"} and isinstance(root, int)
        }
        if "attempts" not in shapes:
            text = files(database).joinpath("schema.sql").read_text(encoding="utf-8")
            shapes = {**shapes_of(text.split(";\n")), **shapes}
        return roots, shapes

    def _follow(self, shape: Shape, root: int) -> None:
        found: list[tuple[Value, ...]] = []
        for row in self._rows_below(shape.name, root, is_of_table=shape.is_of_table):
            if row is None or not shape.fits(row):
                self.lost_rows[shape.name] += 1
            elif not shape.is_index:
                found.append(shape.cells(row))
            if len(found) == _AT_ONCE:
                self.rows.add(shape.name, found)
                found = []
        self.rows.add(shape.name, found)

    def _rows_below(self, name: str, root: int, *, is_of_table: bool) -> Iterator[Row | None]:
        """Yield the rows of a tree, ``None`` for each that cannot be read; count lost pages."""
        waiting = [root]
        while waiting:
            number = waiting.pop()
            page = self._page(number)
            if page is None or page.kind.is_of_table is not is_of_table or number in self.seen:
                self.lost_pages[name] += 1
                continue
            self.seen.add(number)
            yield from page.rows(self.pages)
            waiting.extend(page.children())

    def _page(self, number: int) -> TreePage | None:
        """Return a page, if it is one of a tree."""
        try:
            return TreePage.of(self.pages[number], number)
        except Damaged:
            return None

    def _look_at(self, number: int, shapes: Sequence[Shape]) -> None:
        page = self._page(number)
        if page is None:
            return
        read = list(page.rows(self.pages))
        rows = [row for row in read if row]
        if not rows:
            return
        fitting = [shape for shape in shapes if shape.may_hold(page.kind, rows)]
        if len(fitting) != 1:
            self.stray_pages += 1
            return
        [shape] = fitting
        if not shape.is_index:
            self.rows.add(shape.name, [shape.cells(row) for row in rows])
            self.lost_rows[shape.name] += len(read) - len(rows)
