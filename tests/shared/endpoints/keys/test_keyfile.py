from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from shared.endpoints.keys.keyfile import read_keys
from shared.endpoints.keys.quota import Quota
from shared.errors import InputError

SECRET = "AIzaSyFirstSecret0001"
OTHER = "AIzaSyOtherSecret0002"


def written(tmp_path: Path, text: str, name: str = "keys.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_toml_tables_carry_labels_projects_limits_and_secrets_of_the_environment(tmp_path):
    path = written(
        tmp_path,
        f"""
        [[key]]
        label = "mine"
        project = "p1"
        api_key = "{SECRET}"
        rpm = 10
        rpd = 250
        [[key]]
        project = "p1"
        api_key = "env:SECOND_KEY"
        rpm = 10
        rpd = 250
        """,
    )
    first, second = read_keys(path, {"SECOND_KEY": OTHER})
    assert (first.label, first.project, first.secret) == ("mine", "p1", SECRET)
    assert (second.label, second.project, second.secret) == ("key-2", "p1", OTHER)
    assert first.quota == second.quota == Quota(rpm=10, rpd=250)


def test_a_plain_file_and_the_variable_hold_one_key_a_line_or_between_commas(tmp_path):
    text = f"# my keys\n{SECRET}  # first\n\n{OTHER}, AIzaSyThird0003\n"
    keys = read_keys(written(tmp_path, text, "keys.txt"), {})
    assert [key.label for key in keys] == ["key-1", "key-2", "key-3"]
    assert len({key.project for key in keys}) == 3
    assert read_keys(None, {"GEMINI_API_KEYS": text}) == keys


def test_a_key_shows_itself_by_label_and_fingerprint_only(tmp_path):
    (key,) = read_keys(written(tmp_path, SECRET, "keys.txt"), {})
    for shown in (repr(key), str(key), key.label, key.project, key.fingerprint):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no keys"),
        ("[[key]]\nlabel = 'a'", "api_key"),
        (f"[[key]]\napi_key = '{SECRET}'\nrpmm = 3", "did you mean 'key.0.rpm'|rpm"),
        (f"[[key]]\napi_key = '{SECRET}'\nrpm = 0", "rpm"),
        ("[[key]]\napi_key = 'env:NOT_SET'", "NOT_SET"),
        ("[[key]]\napi_key = ''", "empty"),
        (f"[[key]]\napi_key = '{SECRET}'\n[[key]]\napi_key = '{SECRET}'", "same key"),
        (
            f"[[key]]\nlabel='a'\napi_key='{SECRET}'\n[[key]]\nlabel='a'\napi_key='{OTHER}'",
            "labelled",
        ),
        (
            f"[[key]]\nproject='p'\nrpm=1\napi_key='{SECRET}'\n[[key]]\nproject='p'\napi_key='{OTHER}'",
            "different limits",
        ),
        (f"[[key]]\napi_key = '{SECRET}", "TOML"),
        (f"[[key]]\napi_key = ['{SECRET}']", "api_key"),
    ],
)
def test_bad_files_are_named_with_a_way_out_and_without_secrets(tmp_path, text, part):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=part) as caught:
        read_keys(path, {})
    assert str(path) in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_missing_file_and_no_keys_at_all_say_what_to_give(tmp_path):
    with pytest.raises(InputError, match=r"none\.txt: no such keys file; name one"):
        read_keys(tmp_path / "none.txt", {})
    with pytest.raises(InputError, match="GEMINI_API_KEYS"):
        read_keys(None, {})
    with pytest.raises(InputError, match="GEMINI_API_KEY is set, but not read"):
        read_keys(None, {"GEMINI_API_KEY": SECRET})
    with pytest.raises(InputError, match="folder"):
        read_keys(tmp_path, {})


def test_a_binary_file_is_refused_without_showing_it(tmp_path):
    path = tmp_path / "keys.bin"
    path.write_bytes(SECRET.encode() + b"\xff\0")
    with pytest.raises(InputError, match="text") as caught:
        read_keys(path, {})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
