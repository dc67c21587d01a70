"""A hub on loopback that takes what is pushed: the routes of it that one commit over LFS takes."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

TOKEN = "hf_" + "a" * 34
_API = re.compile(
    r"/api/(model|dataset)s/([\w.-]+/[\w.-]+?)(?:/(preupload|commit|revision)/[^/]+)?"
)
_LFS = re.compile(r"/(datasets/)?([\w.-]+/[\w.-]+)\.git/info/lfs/objects/batch")
_FILE = re.compile(r"/(datasets/)?([\w.-]+/[\w.-]+)/resolve/[^/]+/(.+)")
_LARGE = (".safetensors", ".parquet")


@dataclass
class Repository:
    """What a repository holds after its commits; ``messages`` are theirs."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(self.messages).encode(), usedforsecurity=False).hexdigest()


class TakingHub(http.server.ThreadingHTTPServer):
    """``repositories`` by kind and name; ``faults`` by route: a status, or 0 to hang up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Routes)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.large: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.faults: dict[str, int] = {}
        self.asked: list[str] = []
        self.meanwhile: bool = False

    @property
    def url(self) -> str:
        """Return what `HF_ENDPOINT` should be."""
        return f"http://127.0.0.1:{self.server_port}"


class _Routes(http.server.BaseHTTPRequestHandler):
    server: TakingHub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if found := _FILE.fullmatch(path):
            self._file("dataset" if found[1] else "model", found[2], found[3])
        elif found := _API.fullmatch(path):
            if self._goes_on("info"):
                self._info(found[1], found[2])
        else:
            self._send({"error": "no such route"}, 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._send({"error": "Invalid username or password."}, 401)
        elif path == "/api/validate-yaml":
            self._validate(json.loads(content)["content"])
        elif path == "/api/repos/create":
            self._create(json.loads(content))
        elif found := _LFS.fullmatch(path):
            self._large_files(json.loads(content)["objects"])
        elif found := _API.fullmatch(path):
            getattr(self, f"_{found[3]}")(
                self.server.repositories.get((found[1], found[2])), content
            )

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._goes_on("upload"):
            digest = hashlib.sha256(content).hexdigest()
            self.server.large[digest] = content
            self.server.uploads.append(digest)
            self._send({})

    def _goes_on(self, route: str) -> bool:
        self.server.asked.append(route)
        status = self.server.faults.get(route)
        if status == 0:
            self.close_connection = True
        elif status:
            self._send({"error": f"the hub said {status}"}, status)
        return status is None

    def _info(self, kind: str, name: str) -> None:
        repository = self.server.repositories.get((kind, name))
        if repository is None:
            self._send({"error": "Repository not found"}, 404, **{"X-Error-Code": "RepoNotFound"})
            return
        files = [{"rfilename": each} for each in repository.files]
        facts = {"id": name, "sha": repository.commit, "private": repository.private}
        self._send({**facts, "tags": [], "siblings": files})

    def _file(self, kind: str, name: str, path: str) -> None:
        content = self.server.repositories[kind, name].files.get(path)
        if content is None:
            self._send({}, 404, **{"X-Error-Code": "EntryNotFound"})
            return
        commit = self.server.repositories[kind, name].commit
        self._send(content, ETag=f'"{_blob(content)}"', **{"X-Repo-Commit": commit})

    def _validate(self, card: str) -> None:
        wrong = "license: nonsense" in card
        errors = [{"message": '"license" must be one of [apache-2.0, mit]'}] if wrong else []
        self._send({"errors": errors, "warnings": []}, 400 if wrong else 200)

    def _create(self, asked: dict[str, str]) -> None:
        if not self._goes_on("create"):
            return
        key = asked.get("type") or "model", f"{asked['organization']}/{asked['name']}"
        if key in self.server.repositories:
            self._send({"error": "You already created this repo"}, 409)
            return
        private = asked.get("visibility") == "private"
        self.server.repositories[key] = Repository(private, {".gitattributes": b""})
        self._send({"url": f"{self.server.url}/{key[1]}"})

    def _preupload(self, repository: Repository, content: bytes) -> None:
        if not self._goes_on("preupload"):
            return
        answers = []
        for file in json.loads(content)["files"]:
            known = repository.files.get(file["path"])
            large = file["path"].endswith(_LARGE)
            answer = {"path": file["path"], "uploadMode": "lfs" if large else "regular"}
            oid = known and (hashlib.sha256(known).hexdigest() if large else _blob(known))
            answers.append({**answer, "shouldIgnore": False, "oid": oid})
        if self.server.meanwhile:
            repository.messages.append("somebody else's")
        self._send({"files": answers})

    def _large_files(self, objects: list[dict[str, object]]) -> None:
        if not self._goes_on("lfs"):
            return
        answers = []
        for each in objects:
            put = {"upload": {"href": f"{self.server.url}/put/{each['oid']}", "header": {}}}
            answers.append(each | ({} if each["oid"] in self.server.large else {"actions": put}))
        self._send({"objects": answers, "transfer": "basic"})

    def _commit(self, repository: Repository, content: bytes) -> None:
        if not self._goes_on("commit"):
            return
        header, *changes = map(json.loads, content.splitlines())
        if header["value"].get("parentCommit") not in {None, repository.commit}:
            self._send({"error": "A commit has happened since. Please refresh"}, 412)
            return
        for change in changes:
            path = change["value"]["path"]
            if change["key"] == "file":
                repository.files[path] = base64.b64decode(change["value"]["content"])
            elif change["key"] == "lfsFile":
                repository.files[path] = self.server.large[change["value"]["oid"]]
            else:
                del repository.files[path]
        repository.messages.append(header["value"]["summary"])
        url = f"{self.server.url}/me/name/commit/{repository.commit}"
        self._send({"commitUrl": url, "commitOid": repository.commit})

    def _send(self, value: object, status: int = 200, **headers: str) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for header, text in headers.items():
            self.send_header(header, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _blob(content: bytes) -> str:
    """Return what git calls a file's content."""
    head = f"blob {len(content)}\0".encode()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@contextmanager
def hub_in_use(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[TakingHub]:
    """Serve an empty hub, and have this process push there with ``TOKEN``.

    What it fetches from there is kept in the folder ``cache``.
    """
    with serve_taking_hub() as server:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


@contextmanager
def serve_taking_hub() -> Iterator[TakingHub]:
    """Serve an empty hub for the time of the block."""
    with TakingHub() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
