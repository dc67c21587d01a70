"""What is asked for of an address, as options say it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from shared.endpoints.models.asked_settings import Thinking
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError

IN_FLIGHT: Final = 8
TIMEOUT_S: Final = 120.0
LONGEST_PX: Final = 1_024
"""What most services look at in full detail is no larger; local models look at 224 to 768."""


@dataclass(frozen=True, slots=True)
class AddressOptions:
    """What is asked for of an address; each field is the option of its name."""

    endpoint: str | None = None
    service: Service | None = None
    keys: Path | None = None
    concurrency: int = IN_FLIGHT
    timeout: float = TIMEOUT_S
    image_px: int = LONGEST_PX
    thinking: Thinking | None = None
    extra_body: str = ""

    @property
    def is_given(self) -> bool:
        """Return whether a model is asked over HTTP at all."""
        return self.endpoint is not None or self.service is not None

    def require_sense(self, of_replicas: Iterable[str]) -> None:
        """Check that no option is given that would say nothing; ``of_replicas`` are given too.

        Raises:
            InputError: one is.
        """
        if self.is_given:
            for name in of_replicas:
                raise InputError(
                    f"--{name.replace('_', '-')}: the server behind --endpoint decides that; leave "
                    "it out"
                )
            return
        for field_ in fields(self):
            if getattr(self, field_.name) != field_.default:
                raise InputError(
                    f"--{field_.name.replace('_', '-')}: goes with --endpoint URL; give that, or "
                    "leave it out"
                )
