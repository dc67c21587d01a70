"""Texts of listings stand in the ledger as JSON, whatever is in them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from hypothesis import example, given
from hypothesis import strategies as st

from curator.ledger.database.coding import metadata_text


@given(st.dictionaries(st.text(), st.text()))
@example({"100 % cotton": "5 %", "%s": "%d"})
@example({"": '"quoted" \\ \n\t\0\x7f\u2028', "\u00e9": "\U0001f600"})
def test_metadata_is_json_in_order_and_as_sqlite_writes_what_others_spelt(metadata):
    text = metadata_text(metadata)
    assert list(json.loads(text).items()) == list(metadata.items())
    with closing(sqlite3.connect(":memory:")) as database:
        [other] = database.execute("SELECT json(?)", (json.dumps(metadata, ensure_ascii=False),))
        assert other == database.execute("SELECT json(?)", (text,)).fetchone()
