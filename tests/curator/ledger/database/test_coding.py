"""Texts of listings stand in the ledger as JSON, whatever is in them."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from curator.ledger.database.coding import metadata_text


@given(st.dictionaries(st.text(), st.text()))
@example({"100 % cotton": "5 %", "%s": "%d"})
@example({"": '"quoted" \\ \n\t\0\x7f\u2028', "\u00e9\ud800": "\U0001f600"})
def test_metadata_is_written_as_json_writes_it(metadata):
    assert metadata_text(metadata) == json.dumps(metadata, ensure_ascii=False)
