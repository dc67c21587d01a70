"""The logger of every module: ``log = EventLog(__name__)``.

Events go to structlog, which is imported when the first one happens: that takes a fifth of a
second, more than all that ``curator status`` does.
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def _to_standard_error(*_: object) -> object:
    from shared.program.reporting.plain_structlog import structlog  # noqa: PLC0415

    # Looked up each time, for it may be another one by then.
    return structlog.PrintLogger(sys.stderr)


class EventLog:
    """Passes events on to the structlog logger called ``name``."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _logger(self) -> BoundLogger:
        from shared.program.reporting.plain_structlog import structlog  # noqa: PLC0415

        if not structlog.is_configured():
            # A command that set nothing up may print JSON; structlog itself would print beside it.
            structlog.configure(logger_factory=_to_standard_error)
        logger: BoundLogger = structlog.stdlib.get_logger(self._name)
        return logger

    def debug(self, event: str, **fields: object) -> None:
        """Log what helps to find a fault."""
        self._logger.debug(event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Log what happened, for whoever looks later."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what someone should know now."""
        self._logger.warning(event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Log what went wrong; ``exc_info`` takes the exception along."""
        self._logger.error(event, **fields)
