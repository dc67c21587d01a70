"""The files of each project: uploads under way, what was uploaded, and what jobs wrote. Pure.

A file is shown to the project alone that made it, and is gone when its time is over.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import re
import string
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from curator.rehearsal.words.job_refusals import hidden_file, rfc3339, taken_name
from curator.rehearsal.words.replies import Json, WireReply, bad_request
from shared.program.durations import DAY_S
from shared.value_class import value_class

GRANULARITY: Final = 8 * 1024 * 1024
"""Bytes that every part of an upload but the last must be a multiple of."""
_ID: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_LETTERS: Final = string.ascii_lowercase + string.digits
_ID_LENGTH: Final = 12
_LONGEST_DISPLAY_NAME: Final = 512


class FileSource(StrEnum):
    """Where a file came from; the value is the word on the wire."""

    UPLOADED = "UPLOADED"
    GENERATED = "GENERATED"


@value_class
class FileLimits:
    """The most bytes of one file and of all files of a project, and seconds that a file is kept."""

    largest_bytes: int = 2 * 1024**3
    project_bytes: int = 20 * 1024**3
    kept_s: float = 2 * DAY_S


@value_class
class StoredFile:
    """A file; ``name`` begins with ``files/``, ``number`` is how many there had been before it.

    Times are in seconds since the epoch.
    """

    name: str
    number: int
    project: str
    content: bytes = field(repr=False)
    mime_type: str
    display_name: str
    source: FileSource
    created_at: float
    expires_at: float

    def resource(self, base_url: str) -> Json:
        """Return what is told of the file; ``base_url`` ends with the version of the API."""
        uri = f"{base_url}/{self.name}"
        digest = hashlib.sha256(self.content).hexdigest()
        told: Json = {
            "name": self.name,
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.content)),
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(self.created_at),
            "expirationTime": rfc3339(self.expires_at),
            "sha256Hash": base64.b64encode(digest.encode()).decode(),
            "uri": uri,
            "state": "ACTIVE",
            "source": self.source.value,
        }
        if self.source is FileSource.GENERATED:
            told["downloadUri"] = f"{uri}:download?alt=media"
        return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class Upload:
    """An upload under way: what was announced, and what has come of it."""

    project: str
    size: int
    mime_type: str
    display_name: str
    wanted_name: str = ""
    received: bytearray = field(default_factory=bytearray, repr=False)

    def refusal(self, offset: int, length: int, *, is_last: bool) -> WireReply | None:
        """Return what is told of a part that does not belong there; ``None`` where it does."""
        if offset != len(self.received):
            expected = f"expected {len(self.received)}, got {offset}"
            return bad_request(f"Invalid upload offset: {expected}.")
        whole = offset + length
        if whole > self.size or (is_last and whole != self.size):
            return bad_request(f"Upload size mismatch: expected {self.size} bytes, got {whole}.")
        if not is_last and length % GRANULARITY:
            return bad_request(f"Upload part size must be a multiple of {GRANULARITY} bytes.")
        return None


class FileShelf:
    """Keeps the files of all projects."""

    def __init__(self, limits: FileLimits, die: random.Random) -> None:
        self._limits = limits
        self._die = die
        self._files: dict[str, StoredFile] = {}
        self._uploads: dict[str, Upload] = {}
        self._numbers = itertools.count()

    def begin(self, upload: Upload, now: float) -> str | WireReply:
        """Let an upload begin, and return its id, or what is told where it may not."""
        if upload.size > self._limits.largest_bytes:
            limit = self._limits.largest_bytes
            return bad_request(f"File size {upload.size} exceeds the limit of {limit} bytes.")
        kept = sum(len(file.content) for file in self.of(upload.project, now))
        if kept + upload.size > self._limits.project_bytes:
            limit = self._limits.project_bytes
            return bad_request(f"Project storage exceeds the limit of {limit} bytes.")
        if len(upload.display_name) > _LONGEST_DISPLAY_NAME:
            return bad_request(
                f"* CreateFileRequest.file.display_name: must be at most {_LONGEST_DISPLAY_NAME} "
                "characters long."
            )
        if refused := self._refused_name(upload.wanted_name, now):
            return refused
        upload_id = self._new_id(40)
        self._uploads[upload_id] = upload
        return upload_id

    def _refused_name(self, name: str, now: float) -> WireReply | None:
        if not name:
            return None
        if not _ID.fullmatch(name.removeprefix("files/")):
            return bad_request(
                "* CreateFileRequest.file.name: File ID may have up to 40 lowercase letters, "
                "digits and dashes, and may not begin or end with a dash."
            )
        held = self._files.get(name)
        return taken_name(name) if held is not None and now < held.expires_at else None

    def upload(self, upload_id: str) -> Upload | None:
        """Return an upload that is under way."""
        return self._uploads.get(upload_id)

    def drop(self, upload_id: str) -> None:
        """Forget an upload."""
        self._uploads.pop(upload_id, None)

    def finish(self, upload_id: str, now: float) -> StoredFile | WireReply:
        """Keep what an upload has brought, or say that its name was taken in the meantime."""
        upload = self._uploads.pop(upload_id)
        if refused := self._refused_name(upload.wanted_name, now):
            return refused
        return self._keep(
            StoredFile(
                name=upload.wanted_name or f"files/{self._new_id(_ID_LENGTH)}",
                number=next(self._numbers),
                project=upload.project,
                content=bytes(upload.received),
                mime_type=upload.mime_type,
                display_name=upload.display_name,
                source=FileSource.UPLOADED,
                created_at=now,
                expires_at=now + self._limits.kept_s,
            )
        )

    def write(self, project: str, content: bytes, now: float) -> StoredFile:
        """Keep the results of a job."""
        return self._keep(
            StoredFile(
                name=f"files/batch-{self._new_id(_ID_LENGTH)}",
                number=next(self._numbers),
                project=project,
                content=content,
                mime_type="application/jsonl",
                display_name="",
                source=FileSource.GENERATED,
                created_at=now,
                expires_at=now + self._limits.kept_s,
            )
        )

    def _keep(self, file: StoredFile) -> StoredFile:
        self._files[file.name] = file
        return file

    def _new_id(self, length: int) -> str:
        return "".join(self._die.choices(_LETTERS, k=length))

    def find(self, project: str, name: str, now: float) -> StoredFile | WireReply:
        """Return a file, or what a project is told that is not shown it."""
        file = self._files.get(name)
        if file is None or file.project != project or now >= file.expires_at:
            return hidden_file(name.removeprefix("files/"))
        return file

    def remove(self, name: str) -> None:
        """Delete a file that is there."""
        del self._files[name]

    def of(self, project: str, now: float) -> list[StoredFile]:
        """Return the files of a project, the newest first."""
        kept = self._files.values()
        mine = [file for file in kept if file.project == project and now < file.expires_at]
        return sorted(mine, key=lambda file: file.number, reverse=True)

    def count(self, now: float) -> dict[str, int]:
        """Return how many files there are by source, and their bytes."""
        kept = [file for file in self._files.values() if now < file.expires_at]
        told = {
            source.lower(): sum(file.source is source for file in kept) for source in FileSource
        }
        return told | {"bytes": sum(len(file.content) for file in kept)}
