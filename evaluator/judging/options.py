"""What is asked for of a judge, as options say it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from evaluator.endpoints.address.options import IN_FLIGHT
from shared.endpoints.models.asked_settings import Thinking
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What is asked for of a judge; each field is the option of its name."""

    judge: str | None = None
    judge_endpoint: str | None = None
    judge_service: Service | None = None
    judge_keys: Path | None = None
    judge_rubric: Path | None = None
    judge_thinking: Thinking | None = None
    judge_extra_body: str = ""
    judge_in_flight: int = IN_FLIGHT
    judge_cache: Path | None = None

    def or_none(self) -> JudgeOptions | None:
        """Return it; ``None`` where no judge is named.

        Raises:
            InputError: an option says something of a judge that nobody named, or its name is empty.
        """
        if self.judge is not None and not self.judge.strip():
            raise InputError("--judge: give the name of the model that judges")
        if self.judge is not None:
            return self
        for field in fields(self):
            if getattr(self, field.name) != field.default:
                option = field.name.replace("_in_flight", "_concurrency").replace("_", "-")
                raise InputError(f"--{option}: goes with --judge MODEL; give that, or leave it out")
        return None
