"""What is pushed arrives whole in one commit, or not at all, and says in one line why not."""

from __future__ import annotations

import socket

import pytest

from shared.errors import InputError, StoppedForNow
from shared.hub.parcel import Kind, Parcel
from shared.hub.push import Order, push, size_text
from tests.fakes.hub_that_takes import TOKEN, Repository, hub_in_use

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
NAME = "me/shoes"


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with hub_in_use(monkeypatch, tmp_path_factory.mktemp("cache")) as server:
        yield server


@pytest.fixture
def send(tmp_path):
    """Push two files; return what was told and what came of it."""
    (tmp_path / "rows.parquet").write_bytes(b"rows" * 300)

    def pushed(name=NAME, card=b"---\ntags: [vqa]\n---\n# Shoes\n", stale=(), files=(), **order):
        parcel = Parcel(
            Kind.DATASET,
            {"README.md": card, "rows.parquet": tmp_path / "rows.parquet", **dict(files)},
            left_out=["images (not asked for)"],
            stale=stale,
        )
        told = []
        sent = push(parcel, name, Order(**order), folder=tmp_path, message="Push", tell=told.append)
        return told, sent

    return pushed


def test_all_files_arrive_in_one_commit_and_the_second_push_sends_nothing(hub, send):
    told, first = send()
    repository = hub.repositories["dataset", NAME]
    assert repository.messages == ["Push"]
    assert repository.files["rows.parquet"] == b"rows" * 300
    assert not repository.private
    assert "  rows.parquet  1.2 kB" in told
    assert "left out: images (not asked for)" in told
    assert any("licence: none is named" in line for line in told)
    assert told[-1].startswith(f"pushed: {hub.url}/datasets/{NAME} (commit ")
    assert TOKEN not in "\n".join(told)
    told, second = send()
    assert repository.messages == ["Push"]
    assert (first.is_new, second.is_new) == (True, False)
    assert told[-1].startswith("nothing new")
    assert len(hub.uploads) == 1


def test_a_dry_run_asks_no_hub(send, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    told, sent = send(dry_run=True)
    assert sent is None
    assert "  2 files, 1.23 kB" in told


def test_what_an_earlier_push_had_and_this_one_has_not_goes(hub, send):
    hub.repositories["dataset", NAME] = Repository(
        False, {"README.md": b"# old\n", "data/test.parquet": b"old"}
    )
    send(stale=["data/test.parquet", "data/none.parquet"])
    assert set(hub.repositories["dataset", NAME].files) == {"README.md", "rows.parquet"}


def test_a_repository_with_other_files_is_left_alone_unless_agreed(hub, send):
    theirs = {"README.md": b"# theirs\n", "config.json": b"{}"}
    hub.repositories["dataset", NAME] = Repository(False, dict(theirs))
    with pytest.raises(InputError, match=r"is there with other files \(config.json\); --yes"):
        send()
    assert hub.repositories["dataset", NAME].files == theirs
    send(agreed=True)
    assert hub.repositories["dataset", NAME].files["config.json"] == b"{}"


def test_a_private_repository_is_made_and_a_public_one_is_never_taken_for_one(hub, send):
    send(private=True)
    assert hub.repositories["dataset", NAME].private
    hub.repositories["dataset", NAME].private = False
    with pytest.raises(InputError, match="is there and public"):
        send(private=True)


REFUSALS = {
    ("create", 401): (InputError, "does not take this token"),
    ("create", 403): (InputError, r"this token may not write there \(the hub said 403\)"),
    ("create", 409): (InputError, "this token may not see it"),
    ("preupload", 403): (InputError, "this token may not write there.*was made, and is empty"),
    ("commit", 413): (InputError, "refuses it"),
    ("commit", 412): (StoppedForNow, "somebody else wrote there"),
    ("commit", 500): (StoppedForNow, r"is busy \(500\)"),
    ("commit", 0): (StoppedForNow, "does not answer"),
}


@pytest.mark.parametrize("fault", REFUSALS, ids=str)
def test_a_refusal_is_one_line_and_leaves_nothing_half_pushed(fault, hub, send):
    route, status = fault
    kind, words = REFUSALS[fault]
    hub.faults[route] = status
    with pytest.raises(kind, match=words) as refused:
        send()
    assert "\n" not in str(refused.value)
    assert TOKEN not in str(refused.value)
    repository = hub.repositories.get(("dataset", NAME))
    assert repository is None or set(repository.files) == {".gitattributes"}
    hub.faults.clear()
    uploads = len(hub.uploads)
    assert send()[1].is_new
    # What had arrived before is not sent again.
    assert len(hub.uploads) == max(uploads, 1)


def test_a_push_of_somebody_else_in_between_is_not_written_over(hub, send):
    send()
    hub.meanwhile = True
    with pytest.raises(StoppedForNow, match="somebody else wrote there meanwhile"):
        send(card=b"---\ntags: [vqa]\n---\n# Other\n")
    assert b"Other" not in hub.repositories["dataset", NAME].files["README.md"]


def test_a_card_that_the_hub_refuses_says_why(hub, send):
    with pytest.raises(InputError, match=r"must be one of \[apache-2.0, mit\]"):
        send(card=b"---\nlicense: nonsense\n---\n# Shoes\n")


def test_who_does_not_say_who_they_are_or_is_offline_is_told(hub, send, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        send()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="set HF_TOKEN"):
        send()
    assert hub.asked == []


def test_a_hub_that_is_not_there_is_told_as_such(send, hub, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", nobody)
    with pytest.raises(StoppedForNow, match="the hub does not answer"):
        send()


@pytest.mark.parametrize("address", ["hub", "http://", "ftp://hub", "http://a b", "http://[::1"])
def test_an_address_that_is_none_is_bad_input(address, send, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    for order in ({}, {"dry_run": True}):
        with pytest.raises(InputError, match="HF_ENDPOINT is no address; write https://HOST"):
            send(**order)


@pytest.mark.parametrize(
    "name", ["", "shoes", "a/b/c", "me/sho es", "me/-shoes", "/tmp/x", "me/x.git"]
)
def test_a_wrong_name_is_refused_before_anything_is_asked(name, hub, send):
    with pytest.raises(InputError, match="write OWNER/NAME"):
        send(name=name)
    assert hub.asked == []


def test_no_path_and_no_secret_of_this_machine_goes_up(hub, send, monkeypatch, tmp_path):
    monkeypatch.setenv("GEMINI_API_KEY", "an-entirely-secret-key")
    for content in (f"see {tmp_path}/x", "key: an-entirely-secret-key", f"token {TOKEN}"):
        with pytest.raises(InputError, match=r"holds a (path|secret) of this machine") as refused:
            send(files={"notes.txt": content.encode()})
        assert "entirely" not in str(refused.value)
        assert TOKEN not in str(refused.value)
    assert hub.asked == []


def test_an_address_with_the_name_of_the_folder_in_it_is_no_path(hub, send, monkeypatch, tmp_path):
    monkeypatch.chdir("/tmp")
    told, _ = send(files={"notes.txt": b"https://hub.example/tmp/x and data/tmp/y, s3://a/tmp/z"})
    assert told[-1].startswith("pushed")
    for content in (b'{"data": "/tmp/x"}', b"see file:///tmp/x", b'{"data": "\\/tmp\\/x"}'):
        with pytest.raises(InputError, match="holds a path"):
            send(files={"notes.txt": content})


def test_sizes_are_told_by_thousands():
    assert [size_text(n) for n in (0, 999, 1000, 1_250_000, 10**9, 5 * 10**16)] == [
        *("0 B", "999 B", "1 kB", "1.25 MB", "1 GB", "5e+04 TB"),
    ]


def test_a_repository_without_a_commit_is_there_all_the_same(hub, send, monkeypatch):
    hub.repositories["dataset", NAME] = Repository(False)
    monkeypatch.setattr(Repository, "commit", property(lambda self: "0" * 40 * bool(self.messages)))
    told, sent = send()
    assert sent.is_new
    assert "create" not in hub.asked
    assert any("(is there, public)" in line for line in told)
