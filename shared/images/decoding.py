"""Image files to pictures in memory, whole or not at all, with errors that name the file.

A file that is no picture is told apart from one that the machine does not give: the first is
counted as a broken image, the second would blame an image for a disk.

A picture in memory takes 4 bytes a pixel, the largest 0.7 GB: threads take turns with such.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image

from shared.errors import CorruptImage, StoreUnreachable
from shared.images.formats import CONVERT, is_unread_picture
from shared.images.pixels import UnreadablePicture, losses, opened, rgb
from shared.program.reporting.event_log import EventLog

LARGEST_FILE_BYTES: Final = 2**30
LARGE_PIXELS: Final = 2**26
"""More pixels, which are 268 MB, make a picture large; most cameras give fewer."""
TOLD: Final = 5
"""Images that are named for each thing that is lost of them."""

_ABSENT: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
)
"""What says that there is no such file, rather than that nobody knows."""
_WAYS_OUT: Final = {
    errno.EMFILE: "raise `ulimit -n`, or let less be done at a time",
    errno.ENFILE: "close other programs, or let less be done at a time",
    errno.ENOMEM: "free memory, or let less be done at a time",
    errno.EACCES: "give this user the right to read it, and to enter the folders above it",
    errno.EPERM: "give this user the right to read it, and to enter the folders above it",
    errno.ENOTCONN: "mount the folder again",
    errno.ESTALE: "mount the folder again",
}
_HEIC: Final = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")

_FOR_READING: Final = os.O_RDONLY | getattr(os, "O_BINARY", 0)

_CHUNK_BYTES: Final = 2**20

_told: Counter[str] = Counter()
log = EventLog(__name__)

# What glibc maps by itself, above 32 MiB, it gives back when a picture goes; of Pillow's usual 16
# each thread would keep as much as its largest picture took.
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]


_one_at_a_time = threading.Lock()


class _Own(threading.local):
    is_in_block = False
    has_turn = False


_own = _Own()


@contextmanager
def large_pictures_in_turn() -> Iterator[None]:
    """Let no other thread hold a large picture while this one holds one within the block.

    The thread that opens a large picture waits until no other is in such a block with one. A block
    within a block ends with the outer one.
    """
    if _own.is_in_block:
        yield
        return
    _own.is_in_block = True
    try:
        yield
    finally:
        _own.is_in_block = False
        if _own.has_turn:
            _own.has_turn = False
            _one_at_a_time.release()


def is_large(image: Image.Image) -> bool:
    """Return whether a picture is so large that few can be in memory."""
    return image.width * image.height > LARGE_PIXELS


def _await_turn(image: Image.Image) -> None:
    if is_large(image) and not _own.has_turn:
        _one_at_a_time.acquire()
        _own.has_turn = True


def open_image(path: Path) -> Image.Image:
    """Decode an image file fully, as RGB, upright and on white.

    Raises:
        CorruptImage: the file is missing, truncated or not an image.
        StoreUnreachable: the machine does not give the file.
    """
    return decode_image(read_image_file(path), str(path))


def decode_image(content: bytes, name: str) -> Image.Image:
    """Do the same for a file's content, under the name that it has for people.

    Raises:
        CorruptImage: truncated or not an image.
    """
    with opened_image(content, name) as image:
        tell_losses(image, name)
        return rgb(image)


@contextmanager
def opened_image(content: bytes, name: str) -> Iterator[Image.Image]:
    """Yield an image of which the header was read; ``pixels.rgb`` decodes it within the block.

    Raises:
        CorruptImage: no image, truncated or too large; also where that shows in the block.
    """
    try:
        with large_pictures_in_turn(), opened(io.BytesIO(content)) as image:
            _await_turn(image)
            yield image
    except UnreadablePicture as error:
        reason = _other_kind(content, name) or str(error)
        raise CorruptImage(f"{name}: not a readable image ({reason})") from error


def read_image_file(path: Path | str) -> bytes:
    """Return an image file's content.

    Raises:
        CorruptImage: there is no such file, or it is empty or absurdly large.
        StoreUnreachable: the machine does not give it; ``__cause__`` is the ``OSError``.
    """
    try:
        # What is no file, such as a pipe, might never end.
        facts = os.stat(path)  # noqa: PTH116 - text is not to become a path for this alone
        content = _content(path, facts.st_size) if _is_plain(facts.st_mode, facts.st_size) else b""
    except ValueError as error:
        raise CorruptImage(f"{path}: not a readable image (no such image: {error})") from error
    except OSError as error:
        if error.errno in _ABSENT:
            raise CorruptImage(f"{path}: not a readable image (no such image)") from error
        way_out = _WAYS_OUT.get(error.errno or 0, "mend that")
        raise StoreUnreachable(f"{path}: cannot be read ({error.strerror}); {way_out}") from error
    if not content:
        raise CorruptImage(f"{path}: not a readable image (empty, no file, or of over 1 GiB)")
    return content


def _content(path: Path | str, size_bytes: int) -> bytes:
    """Return what a file holds, in fewer steps than ``Path.read_bytes`` takes."""
    file = os.open(path, _FOR_READING)
    try:
        content = os.read(file, size_bytes + 1)
        # A network's store may give less at a time, and state no size.
        while len(content) != size_bytes and (more := os.read(file, _CHUNK_BYTES)):
            content += more
    finally:
        os.close(file)
    return content


def _is_plain(mode: int, size_bytes: int) -> bool:
    return stat.S_ISREG(mode) and size_bytes <= LARGEST_FILE_BYTES


def tell_losses(image: Image.Image, name: str) -> None:
    """Log what is not read of an image; for the first images that lose the same."""
    for loss in losses(image):
        _told[loss] += 1
        if _told[loss] <= TOLD:
            others = {"others": "not told"} if _told[loss] == TOLD else {}
            log.warning("picture_read_in_part", image=name, reason=loss, **others)


def _other_kind(content: bytes, name: str) -> str:
    """Return what a file is that is no picture, where that is easily told."""
    if not content.strip(b"\0"):
        return "empty"
    if content[4:12] in _HEIC or is_unread_picture(Path(name)):
        kind = "HEIC" if content[4:12] in _HEIC else Path(name).suffix
        return f"{kind} is not decoded; {CONVERT}"
    return "text, such as a web page, not a picture" if content.lstrip()[:1] == b"<" else ""
