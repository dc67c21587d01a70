"""A hub on loopback: the few routes of it that fetching data sets and models takes."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_TREE = re.compile(r"/api/datasets/(\w+/[\w-]+)/tree/([^/]+)(?:/(.*))?")
_INFO = re.compile(r"/api/(?:datasets|models)/(\w+/[\w-]+)(?:/revision/([^/]+))?")
_FILE = re.compile(r"(?:/datasets)?/(\w+/[\w-]+)/resolve/([^/]+)/(.*)")


class Hub(http.server.ThreadingHTTPServer):
    """Serves each `OWNER/NAME` below ``folder``; ``sent`` are the files that were asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Routes)
        self.folder = folder
        self.sent: list[str] = []

    @property
    def url(self) -> str:
        """Return what `HF_ENDPOINT` should be."""
        return f"http://127.0.0.1:{self.server_port}"


class _Routes(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        for route, answer in ((_TREE, self._tree), (_FILE, self._file), (_INFO, self._info)):
            if found := route.fullmatch(path):
                name, revision, *inside = found.groups()
                if not (self.server.folder / name).is_dir():
                    self._refuse("RepoNotFound")
                elif revision not in {None, "main", COMMIT}:
                    self._refuse("RevisionNotFound")
                else:
                    answer(name, *(part or "" for part in inside))
                return
        self._refuse("EntryNotFound")

    do_HEAD = do_GET

    def _info(self, name: str) -> None:
        self._send_json({"id": name, "sha": COMMIT, "private": False, "tags": [], "siblings": []})

    def _tree(self, name: str, inside: str) -> None:
        root = self.server.folder / name
        if not (root / inside).is_dir():
            self._refuse("EntryNotFound")
            return
        files = sorted(path for path in (root / inside).rglob("*") if path.is_file())
        self._send_json(
            [
                {
                    "type": "file",
                    "path": file.relative_to(root).as_posix(),
                    "size": file.stat().st_size,
                    "oid": _digest(file.read_bytes()),
                }
                for file in files
            ]
        )

    def _file(self, name: str, inside: str) -> None:
        file = self.server.folder / name / inside
        if not file.is_file():
            self._refuse("EntryNotFound")
            return
        if self.command == "GET":
            self.server.sent.append(inside)
        content = file.read_bytes()
        self._send(content, "application/octet-stream", ETag=f'"{_digest(content)}"')

    def _send_json(self, value: object) -> None:
        self._send(json.dumps(value).encode(), "application/json")

    def _send(self, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(200)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def serve_hub(folder: Path) -> Iterator[Hub]:
    """Serve the data sets and models below ``folder`` for the time of the block."""
    with Hub(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
