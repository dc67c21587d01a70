"""An annotator or a catalogue format: one file, one line in a registry, one row in the docs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from curator.catalog.opening import FORMATS
from shared.endpoints.protocols.registry import Service

PAGE = Path(__file__).parents[2] / "docs" / "catalogues.md"
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
]


def file_of(module: str) -> str:
    return (
        re.sub(r"^(curator\.catalog|shared\.endpoints\.protocols)\.", "", module).replace(".", "/")
        + ".py"
    )


@pytest.mark.parametrize("service", Service)
def test_an_annotator_has_its_row(service: Service) -> None:
    [row] = [row for row in ROWS if row[0] == service.value]
    assert row[-1] == file_of(service.module)
    assert service.protocol.keys.variable in row[2]
    assert ("none" in row[2]) == bool(service.protocol.keys.without)
    assert (row[3] == "none") == (not service.protocol.has_listed_models)


def test_each_format_of_catalogues_has_its_row_in_the_order_of_trying() -> None:
    files = [file_of(sys.modules[each.__module__].__name__) for each in FORMATS]
    assert [row[-1] for row in ROWS if row[-1] in files] == files
