"""The Files API: resumable upload, get, list, delete and download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from curator.rehearsal.batches.file_shelf import (
    GRANULARITY,
    FileShelf,
    FileSource,
    StoredFile,
    Upload,
)
from curator.rehearsal.batches.mishaps import DownloadMishap, UploadMishap
from curator.rehearsal.doors.door import (
    VERSION,
    Caller,
    Received,
    Refused,
    Visitors,
    body_of,
    json_reply,
    keep,
    success,
    telling,
)
from curator.rehearsal.doors.pages import NoSuchPage, page
from curator.rehearsal.faults import FaultPlan
from curator.rehearsal.inbound import MalformedRequest, camel_cased, read_json
from curator.rehearsal.words.job_refusals import unknown_page
from curator.rehearsal.words.replies import Json, WireReply, bad_request, overloaded
from shared.program.clock import Clock

_STATUS: Final = "X-Goog-Upload-Status"
_URL: Final = "X-Goog-Upload-URL"
_COMMAND: Final = "X-Goog-Upload-Command"
_OFFSET: Final = "X-Goog-Upload-Offset"
_RECEIVED: Final = "X-Goog-Upload-Size-Received"
_FINAL: Final = {_STATUS: "final"}
_ACTIVE: Final = {_STATUS: "active"}
_PAGE: Final = 10
_LARGEST_PAGE: Final = 100
_NOT_GENERATED: Final = "Only generated files can be downloaded."


class FilesDoor:
    """Answers about the files on a shelf."""

    def __init__(
        self,
        *,
        visitors: Visitors,
        files: FileShelf,
        uploads: FaultPlan[UploadMishap],
        downloads: FaultPlan[DownloadMishap],
        clock: Clock,
        record: Callable[[Received], None] | None,
    ) -> None:
        """Let ``visitors`` in; ``uploads`` and ``downloads`` deal what goes wrong."""
        self._visitors = visitors
        self._files = files
        self._uploads = uploads
        self._downloads = downloads
        self._clock = clock
        self._record = record

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered here."""
        upload = f"/upload/{VERSION}/files"
        return [
            web.post(upload, telling(self._upload)),
            web.put(upload, telling(self._upload)),
            web.get(f"/{VERSION}/files", telling(self._list)),
            web.get(f"/{VERSION}/files/{{id}}:download", telling(self._download)),
            web.get(f"/download/{VERSION}/files/{{id}}:download", telling(self._download)),
            web.get(f"/{VERSION}/files/{{id}}", telling(self._get)),
            web.delete(f"/{VERSION}/files/{{id}}", telling(self._delete)),
        ]

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        # The parts of an upload carry no key: whoever has its URL may go on with it.
        if "upload_id" in request.query:
            return await self._go_on(request, request.query["upload_id"])
        return await self._begin(request)

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "upload")
        body = await body_of(request)
        keep(self._record, request, body)
        try:
            upload = _announced(request, body, caller.key.project)
        except MalformedRequest as error:
            raise Refused(bad_request(str(error)), _FINAL) from error
        begun = self._files.begin(upload, self._clock.now())
        if isinstance(begun, WireReply):
            raise Refused(begun, _FINAL)
        url = request.url.with_query(upload_id=begun, upload_protocol="resumable")
        granularity = {"X-Goog-Upload-Chunk-Granularity": str(GRANULARITY)}
        return web.Response(headers=_ACTIVE | {_URL: str(url)} | granularity)

    async def _go_on(self, request: web.Request, upload_id: str) -> web.StreamResponse:
        upload = self._files.upload(upload_id)
        if upload is None:
            raise Refused(bad_request("The upload is unknown or has ended."), _FINAL)
        commands = {word.strip() for word in request.headers.get(_COMMAND, "").split(",")}
        match sorted(commands):
            case ["query"]:
                received = {_RECEIVED: str(len(upload.received))}
                return web.Response(headers=_ACTIVE | received)
            case ["cancel"]:
                self._files.drop(upload_id)
                return web.Response(headers={_STATUS: "cancelled"})
            case ["finalize"] | ["finalize", "upload"] | ["upload"]:
                return await self._take(request, upload_id, upload, commands)
            case _:
                raise Refused(bad_request(f"Invalid {_COMMAND} header."), _FINAL)

    async def _take(
        self, request: web.Request, upload_id: str, upload: Upload, commands: set[str]
    ) -> web.StreamResponse:
        part = await _read(request, upload.size - len(upload.received))
        mishap = None
        is_last = "finalize" in commands
        if "upload" in commands:
            mishap = self._uploads.next()
            if mishap is UploadMishap.UPLOAD_FAILED:
                self._files.drop(upload_id)
                raise Refused(overloaded(), _FINAL)
            offset = request.headers.get(_OFFSET, "")
            place = int(offset) if offset.isdecimal() else -1
            refused = upload.refusal(place, len(part), is_last=is_last)
        else:
            refused = upload.refusal(len(upload.received), 0, is_last=True)
        if refused is not None:
            self._files.drop(upload_id)
            raise Refused(refused, _FINAL)
        upload.received += part
        if mishap is UploadMishap.UPLOAD_DROPPED and request.transport is not None:
            request.transport.abort()
        if not is_last:
            return web.Response(headers=_ACTIVE)
        file = self._files.finish(upload_id, self._clock.now())
        if isinstance(file, WireReply):
            raise Refused(file, _FINAL)
        told = {"file": file.resource(_base_url(request))}
        return json_reply(WireReply(200, told), _FINAL)

    def _found(self, request: web.Request, caller: Caller) -> StoredFile:
        name = f"files/{request.match_info['id']}"
        file = self._files.find(caller.key.project, name, self._clock.now())
        if isinstance(file, WireReply):
            raise Refused(file)
        return file

    async def _list(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "list_files")
        files = self._files.of(caller.key.project, self._clock.now())
        try:
            shown = page(files, request.query, size=_PAGE, most=_LARGEST_PAGE)
        except NoSuchPage as error:
            raise Refused(unknown_page()) from error
        base_url = _base_url(request)
        body: Json = {"files": [file.resource(base_url) for file in shown.items]}
        body |= {"nextPageToken": shown.next_token}
        return success({name: value for name, value in body.items() if value})

    async def _get(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "get_file")
        file = self._found(request, caller)
        return success(file.resource(_base_url(request)))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "delete_file")
        file = self._found(request, caller)
        self._files.remove(file.name)
        return success({})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "download")
        file = self._found(request, caller)
        if file.source is not FileSource.GENERATED:
            raise Refused(bad_request(_NOT_GENERATED))
        if request.query.get("alt") != "media":
            return success(file.resource(_base_url(request)))
        mishap = self._downloads.next()
        if mishap is DownloadMishap.DOWNLOAD_FAILED:
            raise Refused(overloaded())
        if mishap is DownloadMishap.DOWNLOAD_CUT:
            return await _cut_off(request, file.content)
        return web.Response(body=file.content, content_type=file.mime_type)


def _announced(request: web.Request, body: bytes, project: str) -> Upload:
    headers = request.headers
    if headers.get("X-Goog-Upload-Protocol") != "resumable" or headers.get(_COMMAND) != "start":
        raise MalformedRequest("Invalid upload: only the resumable protocol is played here.")
    length = headers.get("X-Goog-Upload-Header-Content-Length", "")
    mime_type = headers.get("X-Goog-Upload-Header-Content-Type", "")
    if not length.isdecimal() or not mime_type:
        raise MalformedRequest("Invalid upload: its length and its type must be announced.")
    told = camel_cased(camel_cased(read_json(body) if body.strip() else {}).get("file") or {})
    name = str(told.get("name") or "").removeprefix("files/")
    return Upload(
        project=project,
        size=int(length),
        mime_type=mime_type,
        display_name=str(told.get("displayName") or ""),
        wanted_name=f"files/{name}" if name else "",
    )


async def _read(request: web.Request, most: int) -> bytes:
    """Read a part; of one that is too long, a byte more than there is room for."""
    part = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        part += chunk[: most + 1 - len(part)]
    return bytes(part)


async def _cut_off(request: web.Request, content: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(content))})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


def _base_url(request: web.Request) -> str:
    return f"{request.url.origin()}/{request.match_info['version']}"
