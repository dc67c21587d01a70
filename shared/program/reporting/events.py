"""Sets up structlog once per process: readable on a terminal, JSON lines in a file, no secrets.

Event names are constants in the code; everything that varies goes into fields. A key appears by
its label. As a second line of defence every rendered line is searched for registered secrets.

Events go straight from structlog to where they are written; what libraries log with the standard
library joins them there. (https://www.structlog.org/en/stable/performance.html)
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from io import SEEK_END, TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Final, TextIO

import orjson

from shared.program.clock import stopwatch
from shared.program.reporting.plain_structlog import structlog
from shared.program.reporting.secret_mask import SecretMask
from shared.program.reporting.verbosity import tells_more

LOOK_EVERY_S = 1.0
"""How often a log file's name is looked at."""
BUFFERED_BYTES: Final = 65_536
"""Lines that are gathered are handed over to the system so many bytes at a time at most."""
Event = Mapping[str, object]

_OF_EVERY_LEVEL: Final = structlog.make_filtering_bound_logger(logging.NOTSET)
_CHATTER: Final = ("debug", "info")
# A dataclass may hold what its own words leave out.
_AS_JSON: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _masked_traceback(
    mask: SecretMask,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        sys.stderr.write(mask("".join(traceback.format_exception(kind, error, where))))

    return hook


class _Terminal:
    """Writes readable lines."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._turn = Lock()
        # https://no-color.org: present and not empty.
        has_colours = (stream or sys.stderr).isatty() and not os.environ.get("NO_COLOR")
        self._render = structlog.dev.ConsoleRenderer(colors=has_colours, pad_event_to=0)

    def write(self, event: Event, mask: SecretMask) -> None:
        # A live view puts itself in the place of standard error, to have lines above itself.
        stream = self._stream or sys.stderr
        line = mask(str(self._render(None, "", dict(event))))
        # A terminal that is gone is no reason to end.
        with self._turn, suppress(OSError, ValueError):
            stream.write(f"{line}\n")
            stream.flush()


class _File(WatchedFileHandler):
    """Appends JSON objects, a line each.

    Looks now and then whether the file was moved away; till then the lines follow it.
    """

    _looks_again_at = 0.0
    _flush_later: Callable[[], object] | None = None
    _has_unflushed = False

    def reopenIfNeeded(self) -> None:  # noqa: N802 - overrides
        """Open the file's name anew where another file, or none, has it."""
        if stopwatch() >= self._looks_again_at:
            self._looks_again_at = stopwatch() + LOOK_EVERY_S
            super().reopenIfNeeded()

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        is_cut_off = _ends_within_a_line(path)
        file = path.open("a", BUFFERED_BYTES, self.encoding)
        if is_cut_off:
            file.write("\n")
        return file

    def write(self, event: Event, mask: SecretMask) -> None:
        line = mask(_as_json(event))
        self.acquire()
        try:
            self.reopenIfNeeded()
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(f"{line}\n")
            later = self._flush_later if event["level"] in _CHATTER else None
            if later is None:
                self.flush()
            elif not self._has_unflushed:
                self._has_unflushed = True
                later()
        finally:
            self.release()

    def flush(self) -> None:
        """Hand over to the system what was written."""
        # First, for what is written meanwhile is to have a flush of its own.
        self._has_unflushed = False
        super().flush()

    def gather(self, later: Callable[[], object] | None) -> None:
        """Have ``later`` flush what it is called for, and whatever is written until it does."""
        self._flush_later = later


def _ends_within_a_line(path: Path) -> bool:
    """Return whether whoever wrote a file was killed, or had no room, within a line."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, SEEK_END) if path.is_file() else 0
            file.seek(max(0, length - 1))
            return length > 0 and file.read(1) != b"\n"
    except OSError:
        return False


def _as_json(event: Event) -> str:
    try:
        return orjson.dumps(event, default=str, option=_AS_JSON).decode()
    except TypeError:
        return _as_plain_json(event)


def _as_plain_json(event: Event) -> str:
    # A number of more than 64 bits, half of a character, or names that are no names.
    with suppress(TypeError, ValueError, RecursionError):
        return json.dumps(event, default=str, sort_keys=True, allow_nan=False)
    return json.dumps({name: str(value) for name, value in event.items()}, sort_keys=True)


class _Outlet(logging.Handler):
    """Where the events of a process go, and with them what is logged with the standard library."""

    def __init__(
        self,
        terminal: _Terminal,
        file: _File | None,
        *,
        mask: SecretMask,
        file_only: Collection[str],
    ) -> None:
        super().__init__()
        self._terminal = terminal
        self._file = file
        self._mask = mask
        self._file_only = file_only
        self._fails = False

    def channel(self, name: str = "root") -> _Channel:
        """Return what structlog calls the logger of this name."""
        return _Channel(self, name)

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record of a library as an event."""
        try:
            channel = self.channel(record.name)
            # What levels a library tells is for the standard library's loggers to say.
            log = structlog.wrap_logger(channel, wrapper_class=_OF_EVERY_LEVEL)
            level = max(logging.DEBUG, min(record.levelno // 10 * 10, logging.CRITICAL))
            log.log(level, record.getMessage(), exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - a library's arguments may do anything when put into words
            self.handleError(record)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._tell_failure(self._file, error)
        super().close()

    def write(self, event: Event) -> None:
        """Write an event to all that is to have it."""
        if event["level"] not in _CHATTER or event["logger"] not in self._file_only:
            self._terminal.write(event, self._mask)
        if self._file is None:
            return
        try:
            self._file.write(event, self._mask)
        except OSError as error:
            self._tell_failure(self._file, error)
        else:
            self._fails = False

    def flush(self) -> None:
        """Hand over to the system what was written to the file."""
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError as error:
            self._tell_failure(self._file, error)

    @contextmanager
    def gathering(self, later: Callable[[Callable[[], None]], object]) -> Iterator[None]:
        """Within it, give ``later`` what flushes the file, once for all lines until then."""
        if self._file is None:
            yield
            return
        self._file.gather(lambda: later(self.flush))
        self.flush()
        try:
            yield
        finally:
            self._file.gather(None)
            self.flush()

    def _tell_failure(self, file: _File, error: OSError) -> None:
        # The run is worth more than its log; one line says so, not one an event.
        if not self._fails:
            told = {"event": "log_cannot_be_written", "level": "warning", "logger": __name__}
            reason = {"path": file.baseFilename, "reason": str(error)}
            self._terminal.write({**told, **reason}, self._mask)
        self._fails = True


class _Channel:
    """A logger, as structlog sees it: an event's fields arrive as keywords."""

    def __init__(self, outlet: _Outlet, name: str) -> None:
        self._outlet = outlet
        self._name = name

    def _write(self, **event: object) -> None:
        event["logger"] = self._name
        self._outlet.write(event)

    debug = info = warning = error = critical = _write


def set_up_events(
    *,
    mask: SecretMask | None = None,
    json_file: Path | None = None,
    terminal: TextIO | None = None,
    level: int = logging.INFO,
    file_only: tuple[str, ...] = (),
) -> None:
    """Send structlog and standard-library events to the terminal and, where given, to a file.

    The file gets one JSON object a line and is appended to. Standard error is the terminal
    unless another stream is given. The traceback of a bug that ends the process is masked too. Of
    the loggers named in ``file_only``, the terminal gets warnings alone. Libraries are heard from
    warnings on. With ``-v`` all is told, and what libraries log from ``info`` on.
    """
    from_libraries = logging.WARNING
    if tells_more():
        level, file_only, from_libraries = logging.DEBUG, (), logging.INFO
    secret_mask = mask or SecretMask()
    # A bug ends the process with a traceback, and its message may quote what it stumbled over.
    sys.excepthook = _masked_traceback(secret_mask)
    file = None
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        file = _File(json_file, encoding="utf-8")
    outlet = _Outlet(_Terminal(terminal), file, mask=secret_mask, file_only=file_only)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(outlet)
    root.setLevel(from_libraries)
    # Where there are no default credentials it warns, and raises what is told in our words.
    logging.getLogger("google.auth").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
        logger_factory=outlet.channel,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def info_writer(name: str, event: str) -> Callable[..., None]:
    """Return what writes one kind of event of the level info, as events are set up now.

    It writes what structlog would, in a third of the time: for an event that comes a thousand times
    a second.
    """
    outlet = next(
        (each for each in logging.getLogger().handlers if isinstance(each, _Outlet)), None
    )
    if outlet is None:
        return partial(structlog.stdlib.get_logger(name).bind().info, event)
    is_of_all: Event = {"event": event, "level": "info", "logger": name}

    def write(**fields: object) -> None:
        now = datetime.now(UTC).isoformat().removesuffix("+00:00")
        outlet.write({**is_of_all, "timestamp": f"{now}Z", **fields})

    return write


@contextmanager
def lines_gathered(later: Callable[[Callable[[], None]], object]) -> Iterator[None]:
    """Within it, hand the lines of the file over to the system many at a time.

    ``later`` is called from any thread, and is to call what it is given soon; warnings and what is
    worse wait for nothing.
    """
    with ExitStack() as stack:
        for handler in logging.getLogger().handlers:
            if isinstance(handler, _Outlet):
                stack.enter_context(handler.gathering(later))
        yield
