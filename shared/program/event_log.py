"""A logger of events for modules that commands import without having anything to log.

Importing structlog takes longer than all that ``curator status`` does.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


class EventLog:
    """Passes events on to the structlog logger called ``name``."""

    def __init__(self, name: str) -> None:
        self._name = name

    @cached_property
    def _logger(self) -> BoundLogger:
        import structlog  # noqa: PLC0415

        logger: BoundLogger = structlog.stdlib.get_logger(self._name)
        return logger

    def info(self, event: str, **fields: object) -> None:
        """Log what happened, for whoever looks later."""
        self._logger.info(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log what someone should know now."""
        self._logger.warning(event, **fields)
