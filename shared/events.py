"""Sets up structlog once per process: readable on a terminal, JSON lines in a file, no secrets.

Event names are constants in the code; everything that varies goes into fields. A key appears by
its label. As a second line of defence every rendered line is searched for registered secrets.
"""

from __future__ import annotations

import logging
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.clock import stopwatch

MASK = "[secret]"
LOOK_EVERY_S = 1.0
"""How often a log file's name is looked at."""


class SecretMask:
    """Replaces every registered secret in whatever text passes through.

    In clear, and as it looks quoted for an address or in base64.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._shortest = 0
        self.register(secrets)

    def register(self, secrets: Iterable[str]) -> None:
        """Add secrets; strings of fewer than 6 characters would mask ordinary words."""
        for secret in secrets:
            if len(secret) >= 6:  # noqa: PLR2004
                self._secrets.update(_forms(secret))
        self._shortest = min(map(len, self._secrets), default=0)

    def __call__(self, text: str) -> str:
        """Return ``text`` with each secret replaced by ``MASK``."""
        if len(text) < self._shortest:
            return text
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text


def _forms(secret: str) -> set[str]:
    content = secret.encode()
    coded = (b64encode(content), urlsafe_b64encode(content))
    quoted = (quote(secret), quote(secret, safe=""))
    return {secret, *quoted, *(one.decode().rstrip("=") for one in coded)}


def _masked_traceback(
    mask: SecretMask,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        sys.stderr.write(mask("".join(traceback.format_exception(kind, error, where))))

    return hook


class _MaskProcessor:
    def __init__(self, mask: SecretMask) -> None:
        self._mask = mask

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {name: self._cleaned(value) for name, value in event.items()}

    def _cleaned(self, value: object) -> object:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, (int, float, bool, type(None))):
            return value
        return self._mask(str(value))


class _RotatedFile(WatchedFileHandler):
    """Looks now and then whether its file was moved away; till then the lines follow the file."""

    _looks_again_at = 0.0

    def reopenIfNeeded(self) -> None:  # noqa: N802 - overrides
        """Open the file's name anew where another file, or none, has it."""
        if stopwatch() >= self._looks_again_at:
            self._looks_again_at = stopwatch() + LOOK_EVERY_S
            super().reopenIfNeeded()


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the time: a live view puts lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


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
    the loggers named in ``file_only``, the terminal gets
    warnings alone.
    """
    secret_mask = mask or SecretMask()
    # A bug ends the process with a traceback, and its message may quote what it stumbled over.
    sys.excepthook = _masked_traceback(secret_mask)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _MaskProcessor(secret_mask),
    ]
    stream = terminal or sys.stderr
    readable = logging.StreamHandler(terminal) if terminal else _StandardError()
    readable.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0),
            ],
        )
    )
    readable.addFilter(
        lambda record: record.levelno >= logging.WARNING or record.name not in file_only
    )
    handlers: list[logging.Handler] = [readable]
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        lines = _RotatedFile(json_file, encoding="utf-8")
        lines.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=common,
                processors=[
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(sort_keys=True),
                ],
            )
        )
        handlers.append(lines)
    # None of these is in a line; https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as that page says
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    # At import, on CPUs with AVX512-BF16, it warns that a kernel of a hub is missing; the model
    # module does not let that kernel be used in any case.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    for part in ("curator", "evaluator", "trainer", "shared"):
        logging.getLogger(part).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
