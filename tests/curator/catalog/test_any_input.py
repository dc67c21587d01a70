"""Whatever a file holds, it is read or refused in one line."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curator.catalog import Skipped, open_catalog
from shared.errors import InputError

NAMES = st.sampled_from(
    ["id", "name", "image", "images", "products", "node", "edges", "src", "url", "fields", "price"]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=12),
    st.sampled_from(["a.jpg", "https://x.example/a.jpg", "['a.jpg']", "{}", "[", "../a.jpg", "\0"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=25,
)
TAGS = st.sampled_from(["item", "product", "id", "g:image_link", "image", "images", "param", "x"])
TEXTS = st.one_of(st.sampled_from(["a.jpg", "1", ""]), st.text("<&>ab \n", max_size=5))


@st.composite
def elements(draw, depth=0) -> str:
    tag, text = draw(TAGS), escape(draw(TEXTS))
    attributes = draw(st.dictionaries(st.sampled_from(["id", "name", "url"]), TEXTS, max_size=2))
    said = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    inner = draw(st.lists(elements(depth + 1), max_size=3)) if depth < 4 else []
    return f"<{tag}{said}>{text}{''.join(inner)}</{tag}>"


def outcome(path) -> list | str:
    try:
        return list(open_catalog(path).listings(Skipped()))
    except InputError as error:
        return str(error)


def reads_or_refuses(path) -> None:
    told = outcome(path)
    if isinstance(told, str):
        assert "\n" not in told
        assert path.name in told
        return
    for listing in told:
        assert listing.image.path == "a.jpg"
        assert all(isinstance(text, str) for text in listing.metadata.values())


any_input = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@any_input
@given(values=st.lists(VALUES, min_size=1, max_size=3), indent=st.sampled_from([None, 1]))
def test_any_json_is_read_or_refused(tmp_path, suffix, values, indent):
    (tmp_path / "a.jpg").touch()
    path = tmp_path / f"t{suffix}"
    path.write_text("\n".join(json.dumps(value, indent=indent) for value in values))
    reads_or_refuses(path)


@pytest.mark.slow
@any_input
@given(root=elements())
@example(root='<item>a.jpg<param id="a.jpg" name="&#10;">1</param></item>')
def test_any_xml_is_read_or_refused(tmp_path, root):
    (tmp_path / "a.jpg").touch()
    path = tmp_path / "t.xml"
    path.write_text(f'<r xmlns:g="urn:g">{root}{root}</r>', encoding="utf-8")
    reads_or_refuses(path)


@any_input
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.xml", "t.parquet", "t.arrow", "t"])
def test_any_bytes_are_read_or_refused(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    reads_or_refuses(path)
