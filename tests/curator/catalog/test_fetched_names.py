"""Where the picture behind a URL is kept: below the folder, visible, and found again."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.catalog.finding.fetched_names import fetched_name
from curator.catalog.pictures import is_hidden

PATHS = st.lists(
    st.one_of(st.text(max_size=300), st.sampled_from(["..", ".", "...", ".git", "a\\b", "c:", ""]))
).map("/".join)


@given(path=PATHS, query=st.text(max_size=20))
def test_any_url_has_a_place_below_the_folder_that_any_file_system_takes(path, query):
    name = fetched_name(f"https://shop.example/{path}?{query}")
    assert name is not None
    parts = PurePosixPath(name).parts
    assert parts[0] == "shop.example"
    assert not name.startswith("/")
    for part in parts:
        assert part not in {"", ".", ".."}
        assert not part.startswith(".")
        assert len(part.encode(errors="replace")) <= 4 * 140
        assert not set(part) & set('\0\n\\:*?"<>|')


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://cdn.example/a/b.jpg", "cdn.example/a/b.jpg"),
        ("http://CDN.example:8080/b.jpg#x", "cdn.example_8080/b.jpg"),
        ("//cdn.example/b.jpg", "cdn.example/b.jpg"),
        ("https://cdn.example", "cdn.example/index"),
        ("https://cdn.example/../../etc/passwd", "cdn.example/etc/passwd"),
        ("https://cdn.example/.hidden/b.jpg", "cdn.example/_hidden/b.jpg"),
        ("https://[", None),
        ("https://cdn.example:port/b.jpg", None),
        ("https:///b.jpg", None),
    ],
)
def test_the_place_is_the_host_and_the_path(url, name):
    assert fetched_name(url) == name


def test_queries_and_long_names_that_differ_have_places_that_differ():
    urls = [f"https://c.example/image.php?id={n}" for n in range(100)]
    urls += [f"https://c.example/{'x' * 200}{n}.jpg" for n in range(100)]
    names = [fetched_name(url) for url in urls]
    assert len(set(names)) == 200
    assert names[150].endswith(".jpg")
    assert not any(is_hidden(part) for name in names for part in PurePosixPath(name).parts)
