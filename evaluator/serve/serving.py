"""Wires ``evaluator serve``: loads the replica, listens, and ends in good order on a signal."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image

from evaluator.answering.messages import Reply
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import ReplicaSettings
from evaluator.answering.sureness import Sureness, read_sureness
from evaluator.serve.batching import Asked, Batcher
from evaluator.serve.site import application
from shared.images.decoding import decode_image
from shared.images.source import ImageFolder
from shared.program.async_stopping import ENDED_AT_ONCE, AsyncStopSignal, stop_on_signals
from shared.program.process.garbage import leave_alone_what_stays
from shared.records import Question
from shared.web.access import Access, Address
from shared.web.listening import listening


@dataclass(frozen=True, slots=True)
class Limits:
    """How many questions are answered together, and how many may wait."""

    batch_size: int
    capacity: int


class ReceivedImages:
    """The images of one batch, by the digest of their content; an ``ImageSource``."""

    reads_at_once: ClassVar[int] = ImageFolder.reads_at_once

    def __init__(self) -> None:
        self._content: Mapping[str, bytes] = {}

    def hold(self, content: Mapping[str, bytes]) -> None:
        """Hold these and no others."""
        self._content = content

    def read(self, name: str) -> Image.Image:
        """Return an image, decoded, as RGB."""
        return decode_image(self._content[name], name)

    def has(self, name: str) -> bool:
        """Return whether the batch has it."""
        return name in self._content


class ReceivingReplica:
    """A replica that is given its images with the questions; equal ones are encoded once."""

    def __init__(self, settings: ReplicaSettings) -> None:
        self._images = ReceivedImages()
        self._replica = Replica(settings, self._images)
        self.facts = self._replica.facts()

    def answer(self, batch: Sequence[Asked]) -> list[Reply]:
        """Return the replies in the order of ``batch``."""
        names = [hashlib.sha256(asked.image).hexdigest() for asked in batch]
        self._images.hold({name: asked.image for name, asked in zip(names, batch, strict=True)})
        questions = [
            Question(str(number), asked.question, name)
            for number, (name, asked) in enumerate(zip(names, batch, strict=True))
        ]
        replies = self._replica.answer(questions)
        self._images.hold({})
        return sorted(replies, key=lambda reply: int(reply.question_id))


def serve(
    settings: ReplicaSettings,
    address: Address,
    limits: Limits,
    sure: Path | None,
    announce: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer what has come in.

    ``announce`` is told the URL once it works. ``sure`` is a file of `evaluator calibrate`.

    Raises:
        InputError: the model, the adapter or the address cannot be used.
    """
    sureness = None if sure is None else read_sureness(sure)
    replica = ReceivingReplica(settings)
    if sureness is not None and sure is not None:
        sureness.require_model(sure, replica.facts, settings.instruction)
    leave_alone_what_stays()
    asyncio.run(_serve(replica, address, limits, sureness, announce))


async def _serve(
    replica: ReceivingReplica,
    address: Address,
    limits: Limits,
    sureness: Sureness | None,
    announce: Callable[[str], None],
) -> None:
    stop = AsyncStopSignal()
    batcher = Batcher(replica.answer, batch_size=limits.batch_size, capacity=limits.capacity)
    site = application(Access(address, "evaluator-serve"), batcher, replica.facts, sureness)
    with stop_on_signals(stop, "evaluator", ENDED_AT_ONCE):
        async with batcher.working(), listening(site, address, "--listen") as where:
            announce(where.url)
            await stop.until_requested()
