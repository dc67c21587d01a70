"""Keys as people keep them: read, or refused by the line before the first request."""

from __future__ import annotations

import base64
import codecs
import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoints.keys.key_form import kind_of
from shared.endpoints.keys.keyfile import read_keys
from shared.endpoints.keys.quota import Quota
from shared.endpoints.keys.variables import OPENAI_KEYS
from shared.errors import InputError

FIRST = "AIzaSyPretend-to-be-a-key-000000000001"
SECOND = "AQ.Pretend8RN6-to-be-one-of-the-new-keys-2"
THIRD = "sk-proj-pretendToBeAKeyOfAnother0003"


def read(text: str, environment: dict[str, str] | None = None) -> list[tuple[str, str]]:
    keys = read_keys(None, {"GEMINI_API_KEYS": text, **(environment or {})})
    return [(key.label, key.secret) for key in keys]


@pytest.mark.parametrize(
    "text",
    [
        f"# the lab's\nexport one='{FIRST}'\ntwo = \"{SECOND}\"  # new\n",
        f"set one={FIRST}\r\nset two={SECOND}\r\n",
        f"one: {FIRST}\ntwo: '{SECOND}'\n",
        json.dumps({"one": FIRST, "two": SECOND}, indent=2),
        json.dumps({FIRST: "one", SECOND: "two"}),
        json.dumps({"keys": [{"name": "one", "apiKey": FIRST}, {"name": "two", "key": SECOND}]}),
        f"label,api_key\none,{FIRST}\ntwo,{SECOND}\n",
        f"Name;API key;Notes\none;{FIRST};\n\ntwo;{SECOND};mine\n",
        f"one,{FIRST}\ntwo,{SECOND}\n",
        f"one {FIRST}\ntwo\t{SECOND}\n",
        f"keys:\n  - label: one\n    api_key: {FIRST}\n  - api_key: {SECOND}\n    label: two\n",
        f"[one]\nlabel = one\nkey = {FIRST}\n[two]\nkey = {SECOND}\nlabel = two\n",
    ],
)
def test_names_beside_keys_become_their_labels(text):
    assert read(text) == [("one", FIRST), ("two", SECOND)]


@pytest.mark.parametrize(
    "text",
    [
        f'["{FIRST}", "{SECOND}"]',
        f"['{FIRST}',\n '{SECOND}',\n]",
        f'"{FIRST}",\n"{SECOND}",\n',
        f"- {FIRST}\n- {SECOND}\n",
        f"1. {FIRST}\n2. {SECOND}\n",
        f"{FIRST}; {SECOND}",
        f"{FIRST} {SECOND}",
        f"api_key\n{FIRST}\n{SECOND}\n",
        f"\ufeff{FIRST}\r\n\r\n\u201c{SECOND}\u201d\r\n",
    ],
)
def test_lists_without_names_are_read_in_order(text):
    assert read(text) == [("key-1", FIRST), ("key-2", SECOND)]


def test_keys_of_any_service_pass_and_one_variable_may_hold_several(tmp_path):
    text = f"KEYS={THIRD},sk-another-0004\nEMPTY_ONE=\nLOCAL_KEY=token-abc123\n"
    assert read(text) == [
        ("KEYS", THIRD),
        ("KEYS-2", "sk-another-0004"),
        ("LOCAL_KEY", "token-abc123"),
    ]
    assert read(f"KEYS={FIRST},{THIRD}\n") == [("KEYS", FIRST), ("KEYS-2", THIRD)]
    padded = "ABCDEFGHIJKLMNOPqrst0123=="
    assert read(padded) == [("key-1", padded)]
    (tmp_path / "keys.txt").write_text("EMPTY")
    assert [key.secret for key in read_keys(tmp_path / "keys.txt", source=OPENAI_KEYS)] == ["EMPTY"]
    (tmp_path / "keys.txt").write_text(f"OPENAI_API_KEY={THIRD}\nGEMINI_API_KEY={FIRST}\n")
    assert [key.secret for key in read_keys(tmp_path / "keys.txt", source=OPENAI_KEYS)] == [THIRD]
    (tmp_path / "keys.txt").write_text(f"GEMINI_API_KEY={FIRST}\nSECRET_KEY=web-0a1b2c3d\n")
    assert [key.secret for key in read_keys(tmp_path / "keys.txt", source=OPENAI_KEYS)] == [FIRST]


def test_of_a_projects_variables_only_keys_of_the_service_are_taken():
    text = (
        f"DEBUG=true\nPORT=8080\nDATABASE_URL=postgres://u:p@h/d\nOPENAI_API_KEY={THIRD}\n"
        f"GOOGLE_APPLICATION_CREDENTIALS=/srv/me.json\nGEMINI_API_KEY={FIRST}\nSPARE={SECOND}\n"
    )
    assert read(text) == [("GEMINI_API_KEY", FIRST), ("SPARE", SECOND)]


ENCODED = base64.b64encode(FIRST.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"GEMINI_API_KEY={FIRST}\nSECRET_KEY=web-insecure-0a1b2c3d4e5f6a7b8c9d0e1f2a\n",
        f"GEMINI_API_KEY={FIRST}\nBILLING_TOKEN=bt-0a1b2c3d4e5f6a7b8c9d0e1f2a3b\n",
        f"list:\n  - params:\n      api_key: {FIRST}\nsettings:\n  master_key: sk-12345678901\n",
        f"[google]\nkey = {FIRST}\n[other]\nkey = {THIRD}\n",
        f"kind: Secret\ndata:\n  GEMINI_API_KEY: {ENCODED}\n",
        json.dumps({"kind": "Secret", "data": {"GEMINI_API_KEY": ENCODED}}),
        json.dumps({"data": [{"key": FIRST, "id": 7, "status": 1}], "success": True, "note": ""}),
        json.dumps({"gemini": {"keys": [FIRST], "models": ["flash-1"], "rpm": 10}}),
        json.dumps([{"key": FIRST, "enabled": True}, {"key": SECOND, "enabled": False}]),
        f"key,disabled\n{FIRST},no\n{SECOND},yes\n",
        f";{SECOND}\n//{SECOND}\n-- {SECOND}\n# {SECOND}\n{FIRST} // mine\n",
        f"Title,Url,Password\nmine,,{FIRST}\n",
        f"Our keys:\n{FIRST}\n",
        f"| who | key |\n|---|---|\n| mine | `{FIRST}` |\n",
        f"{FIRST[:9]}\u200b{FIRST[9:]}\u2060\n",
        f"mine:{FIRST}\n",
        f"KEYS={FIRST},\\\n",
    ],
)
def test_of_whatever_stands_beside_a_key_nothing_is_taken_for_one(text):
    assert [secret for _, secret in read(text)] == [FIRST]


def test_json_lines_and_the_variables_of_a_proxy_are_read():
    text = f'{{"key": "{FIRST}", "name": "one"}}\n{{"key": "{SECOND}", "name": "two"}}\n'
    assert read(text) == [("one", FIRST), ("two", SECOND)]
    text = "litellm_params:\n  model: gemini\n  api_key: os.environ/MINE\n"
    assert [secret for _, secret in read(text, {"MINE": FIRST})] == [FIRST]


def test_a_comment_in_the_letters_of_an_old_windows_does_no_harm(tmp_path):
    path = tmp_path / "keys.txt"
    path.write_bytes("# Schl\u00fcssel\n".encode("cp1252") + FIRST.encode())
    assert [key.secret for key in read_keys(path, {})] == [FIRST]
    path.write_bytes(b"\xff\0" + FIRST.encode())
    with pytest.raises(InputError, match="not a text file"):
        read_keys(path, {})


def test_projects_and_limits_stand_beside_keys_in_tables():
    rows = f"label,key,project,rpm,rpd\none,{FIRST},p,10,250\ntwo,{SECOND},p,10,250\n"
    entries = [
        {"label": "one", "key": FIRST, "project": "p", "rpm": 10, "rpd": 250},
        {"label": "two", "key": SECOND, "project": "p", "rpm": 10, "rpd": 250},
    ]
    for text in (rows, json.dumps(entries)):
        keys = read_keys(None, {"GEMINI_API_KEYS": text})
        assert [(key.label, key.project) for key in keys] == [("one", "p"), ("two", "p")]
        assert {key.quota for key in keys} == {Quota(rpm=10, rpd=250)}


def test_a_line_may_name_a_variable_of_the_environment():
    assert read("env:MINE", {"MINE": FIRST}) == [("key-1", FIRST)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_as_windows_writes_them_are_read(tmp_path, encoding):
    path = tmp_path / "keys.env"
    path.write_bytes(f"GEMINI_API_KEY={FIRST}\r\n".encode(encoding))
    assert path.read_bytes().startswith((codecs.BOM_UTF8, codecs.BOM_UTF16))
    (key,) = read_keys(path, {})
    assert (key.label, key.secret) == ("GEMINI_API_KEY", FIRST)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f"{FIRST}\nmy second key is {SECOND}", "line 2 is no API key .*space"),
        (f"https://host.example/?key={FIRST}", "line 1 is no API key .*URL"),
        (f"{FIRST}\n\n/srv/keys/{SECOND}.txt", "line 3 is no API key .*path"),
        ("keys.json", "line 1 is no API key .*file"),
        ("GEMINI_API_KEY=<your key>", "line 1 is no API key"),
        ("GEMINI_API_KEY=$OTHER", "line 1 is no API key .*variable"),
        (f"label,api_key\none,\ntwo,{FIRST}", "line 2 is no API key .*nothing"),
        (f'[\n"{FIRST}",\n17]', "line 3 is no API key"),
        (f"{FIRST}\nKEY={THIRD}=more", "line 2 is no API key .*="),
        (f"api_key,rpm\n{FIRST},ten", "line 2: rpm"),
        ("GEMINI_API_KEY=\n", "no keys"),
        ("GEMINI_API_KEY=your_api_key_here", "line 1 is no API key .*stands for"),
        ("AIzaSy...0001", "line 1 is no API key .*shortened"),
        (f"me@host.example----{FIRST}", "line 1 is no API key .*more than a key"),
        (f'const keys = ["{FIRST}", "{SECOND}"];', "line 1 is no API key"),
        (f"&quot;{FIRST}&quot;", "line 1 is no API key"),
        (f"name,password\nmine,{FIRST}\nmail,hunter2", "line 3 holds no API key"),
        (f"ANTHROPIC_API_KEY={THIRD}\nWANDB_API_KEY=0a1b2c", "other services alone"),
        (json.dumps({"installed": {"client_secret": "GOCSPX-abcdef"}}), "OAuth"),
        (json.dumps({"type": "service_account", "private_key": FIRST}), "service account"),
        (json.dumps({"keys": []}), "no API key"),
        ("[" * 100_000, "no keys"),
        (f"one={FIRST}\ntwo={FIRST}", "'one' and 'two' are the same key"),
    ],
)
def test_what_is_no_key_is_refused_by_its_line_and_never_shown(text, part):
    with pytest.raises(InputError, match=part) as caught:
        read(text)
    shown = "".join(traceback.format_exception(caught.value))
    assert FIRST not in shown
    assert SECOND not in shown
    assert len(str(caught.value).splitlines()) == 1


PIECES = (
    *('"', "'", ",", ";", "\n", "\r", "[", "]", "{", "}", ":", "=", "#", "- ", " ", "\\", "<", "$"),
    *("api_key", "label", "project", "rpm", "export ", "[[key]]", "null", "1", "https://", "/x"),
    *(FIRST, SECOND, THIRD),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_read_or_refused_in_one_line_without_its_keys(text):
    try:
        shown = " ".join(label for label, _ in read(text))
    except InputError as error:
        shown = str(error)
        assert len(shown.splitlines()) == 1
    assert not any(secret in shown for secret in (FIRST, SECOND, THIRD))


def test_a_key_in_the_place_of_a_name_is_not_shown(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(f"[[key]]\napi_key = '{SECOND}'\n{FIRST} = 1\n")
    with pytest.raises(InputError, match="unknown key") as caught:
        read_keys(path, {})
    assert FIRST not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        ("AQ.Ab8RN6Jabcdefghijklmnop", "auth"),
        ("AIzaSyKeyNumberOne001", "standard"),
        ("sk-0123456789", "other"),
        ("", "none"),
    ],
)
def test_the_kind_of_a_key_is_told_by_how_it_begins(secret: str, kind: str) -> None:
    assert kind_of(secret) == kind
