"""Files that are there whole or not at all, whatever happens while they are written.

What is new gets the mode that the user's umask gives, so that whoever may read its neighbours may
read it too; ``tempfile`` would make it for its owner alone. Keys are the exception.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from shared.errors import AboVqaError, InputError
from shared.files import locks
from shared.files.held import Held
from shared.program.full_disk import MAKE_ROOM, NotWritten, why_disk_takes_no_more
from shared.program.stopping import unfinished

_ANYONE: Final = 0o666
_OWNER: Final = 0o600


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a path to write to, beside ``target``; rename it there unless the block raises.

    What a killed process left of the same target is removed.

    Raises:
        InputError: ``target`` is a folder, or its own cannot be created or written to.
        NotWritten: the disk took no more.
    """
    with _replacing(target, _ANYONE) as part:
        yield part


@contextmanager
def atomic_private_path(target: Path) -> Iterator[Path]:
    """Do as ``atomic_path`` does for what nobody but its owner may read.

    What a killed process left of the same target is removed.

    Raises:
        InputError: ``target`` is a folder, or its own cannot be created or written to.
        NotWritten: the disk took no more.
    """
    with _replacing(target, _OWNER) as part:
        yield part


@contextmanager
def _replacing(target: Path, mode: int) -> Iterator[Path]:
    if target.is_dir():
        raise InputError(f"{target}: is a folder; give the name of a file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part, held = _new_held_file(target, mode)
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with unfinished(part), _told_of_full_disk(target):
            yield part
        held.prepare_to_move()
        try:
            part.replace(target)
        except OSError as error:
            raise _unwritable(target, error) from error
    finally:
        held.prepare_to_move()
        part.unlink(missing_ok=True)
        held.close()


def _unwritable(target: Path, error: OSError) -> AboVqaError:
    if reason := why_disk_takes_no_more(error):
        return NotWritten(f"{target}: cannot be written ({reason}); {MAKE_ROOM}")
    return InputError(f"{target}: cannot be written ({error.strerror})")


@contextmanager
def _told_of_full_disk(target: Path) -> Iterator[None]:
    try:
        yield
    except AboVqaError:
        raise
    except Exception as error:
        # Each library that writes has errors of its own for it.
        reason = why_disk_takes_no_more(error)
        if reason is None:
            raise
        raise NotWritten(f"{target}: cannot be written ({reason}); {MAKE_ROOM}") from error


def _new_held_file(target: Path, mode: int) -> tuple[Path, Held]:
    """Make an empty file beside ``target`` and hold a lock on it, for the time it is filled.

    What a killed process left of the same target is removed.
    """
    part = target.with_name(f".{target.name}.part{target.suffix}")
    while True:
        try:
            held = Held(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        except FileExistsError:
            if not _removed_if_left(part):
                # Another process, or thread, writes the same target.
                part = target.with_name(
                    f".{target.name}.{secrets.token_hex(4)}.part{target.suffix}"
                )
            continue
        # Another process may take it for left before the lock is ours.
        if held.is_locked() is not False and held.is_at(part):
            return part, held
        held.close()


def _removed_if_left(part: Path) -> bool:
    """Return whether ``part`` is gone: it is removed if nobody holds it."""
    try:
        left = Held(os.open(part, os.O_RDONLY))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        if not left.is_locked():
            return False
        if left.is_at(part):
            left.prepare_to_move()
            part.unlink(missing_ok=True)
    except OSError:
        return False
    else:
        return True
    finally:
        left.close()


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; rename it there unless the block raises.

    Its files are then open to whoever may read it. What a killed process left of the same target
    is removed; so it is by ``replaced_folder`` and ``refilled_folder``.

    Raises:
        InputError: ``target`` is there already, or its folder cannot be written to.
    """
    if target.exists():
        raise InputError(f"{target}: is there already; give another --out or remove it")
    with _filled(target) as part:
        yield part
        _open_to_readers(part)
        _put_in_place(part, target)


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; it takes the place of that unless the block raises.

    A process that dies leaves the old folder or the new one; ``whole_folder`` says where.

    Raises:
        InputError: ``target`` is a file, or its folder cannot be written to.
    """
    _refuse_file(target)
    with _filled(target) as part:
        yield part
        _open_to_readers(part)
        old = _set_aside(target)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            target.rename(old)
        _put_in_place(part, target)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def refilled_folder(target: Path, last: str, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Yield an empty folder; its files take their places in ``target`` unless the block raises.

    ``target`` keeps what else lies in it.

    Args:
        target: the folder, which need not be there.
        last: the file that goes first and comes last: a folder without it is not finished.
        stale: files, relative to the folder, that go where the new ones leave them out.

    Raises:
        InputError: ``target`` is a file, or its folder cannot be written to.
    """
    _refuse_file(target)
    with _filled(target) as part:
        yield part
        _open_to_readers(part)
        if not target.exists():
            _put_in_place(part, target)
            return
        for name in (last, *stale):
            (target / name).unlink(missing_ok=True)
        files = [path.relative_to(part) for path in part.rglob("*") if path.is_file()]
        for file in sorted(files, key=lambda file: file == Path(last)):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            (part / file).replace(target / file)


def _put_in_place(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError as error:
        # Another process may have made it since.
        raise InputError(f"{target}: cannot be written ({error.strerror})") from error


def whole_folder(target: Path) -> Path | None:
    """Return where the last folder lies that ``replaced_folder`` made whole, if any."""
    # The process may have died between the two renames, with the old folder set aside.
    places = (target, _set_aside(target))
    return next((place for place in places if place.exists()), None)


def settle_folder(target: Path) -> None:
    """Finish what a process left that was killed while it put a folder into its place.

    The old one goes back where the new one was not there yet, and goes where it was.
    """
    old = _set_aside(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.rename(target)


def _set_aside(target: Path) -> Path:
    place = target.absolute()
    return place.with_name(f".{place.name}.old")


def _refuse_file(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file; give a folder")


@contextmanager
def _filled(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; remove it at the end, if it is still there.

    Raises:
        InputError: the folder of ``target`` cannot be written to.
    """
    # In full, for the name: that of ``.`` is empty.
    place = target.absolute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_folders(place)
        part, held = _new_held_folder(place)
    except OSError as error:
        raise _unwritable(target, error) from error
    try:
        with unfinished(part), _told_of_full_disk(target):
            yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        _let_go(part, held)


def _lock_of(folder: Path) -> Path:
    """Return what is locked for the time that ``folder`` is filled."""
    return folder if locks.MOVES_OPEN_FILES else folder.with_name(f"{folder.name}.lock")


def _held_lock(folder: Path) -> Held:
    flags = os.O_RDONLY if locks.MOVES_OPEN_FILES else os.O_RDWR | os.O_CREAT
    return Held(os.open(_lock_of(folder), flags))


def _let_go(folder: Path, held: Held) -> None:
    held.close()
    if (lock := _lock_of(folder)) != folder:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)


def _new_held_folder(target: Path) -> tuple[Path, Held]:
    """Make an empty folder beside ``target`` and hold a lock on it, for the time it is filled."""
    while True:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        part.mkdir()
        # Another process that removes what was left may take it before the lock is ours.
        with contextlib.suppress(FileNotFoundError):
            held = _held_lock(part)
            if held.is_locked() is not False and part.exists():
                return part, held
            held.close()


def _remove_left_folders(target: Path) -> None:
    """Remove what a killed process left of ``target``: such a folder is held by nobody."""
    for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with contextlib.suppress(OSError):
            left = _held_lock(part)
            is_ours = left.is_locked()
            if is_ours:
                shutil.rmtree(part, ignore_errors=True)
                _let_go(part, left)
            left.close()


def _open_to_readers(folder: Path) -> None:
    """Let whoever may read ``folder``, newly made, read its files too.

    For what libraries write: safetensors makes files that only their owner may read.
    """
    mode = folder.stat().st_mode & _ANYONE
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
