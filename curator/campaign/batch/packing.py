"""Fills batch jobs: takes images from the queue until a job is large enough."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from curator.annotators.batch.lines import request_line
from curator.campaign.batch.pace import MOST_BYTES, MOST_IMAGES, most_images
from curator.campaign.loop import Curator
from curator.campaign.waiting.jobs import Job, views_of
from curator.campaign.waiting.photos import PhotoQueue
from curator.ledger import Attempt, BatchRequest
from curator.prompts.own_ids import naming, own_id
from shared.endpoints.image_encoding import Photo
from shared.endpoints.keys.key import Key
from shared.endpoints.models.asked_settings import NO_SETTINGS, ModelSettings
from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import AskedForm
from shared.endpoints.protocols.gemini_wire import request_body
from shared.value_class import value_class


@value_class
class PackedRequest:
    """A request of a job, with its line in the job's file."""

    item: Job
    attempt: Attempt
    request: BatchRequest
    line: bytes


@value_class
class Pack:
    """What a job is made of, and with whom."""

    key: Key
    model: str
    requests: Sequence[PackedRequest]

    @property
    def content(self) -> bytes:
        """The job's file."""
        return b"".join(packed.line for packed in self.requests)


@dataclass(slots=True)
class Packing:
    """Takes photos from a queue and makes requests of them.

    What cannot be read is ``parked``: this run does not look at it again.
    """

    curator: Curator
    forms: dict[str, AskedForm]
    settings: Mapping[str, ModelSettings]
    parked: set[object]
    _carried: deque[tuple[Job, Photo]] = field(default_factory=deque)

    async def first(self, queue: PhotoQueue) -> tuple[Job, Photo] | None:
        """Return what the next job begins with; ``None`` where nothing waits.

        Raises:
            StoreUnreachable, InputError: the photos cannot be read.
        """
        return self._carried.popleft() if self._carried else await self._read(queue)

    def put_back(self, item: Job, photo: Photo) -> None:
        """Keep what was taken and did not go into a job."""
        self._carried.appendleft((item, photo))

    async def _read(self, queue: PhotoQueue) -> tuple[Job, Photo] | None:
        holding = self.curator.holding
        while not self.curator.stop.requested and (taken := await queue.take()):
            item, photo = taken
            if isinstance(photo, Photo):
                holding.photo_read()
                return item, photo
            self.parked.add(item.key)
            await holding.unreadable(item, photo)
        return None

    async def fill(
        self,
        queue: PhotoQueue,
        first: tuple[Job, Photo],
        *,
        key: Key,
        model: str,
        job_id: int,
        most: int,
    ) -> Pack:
        """Return a job that begins with ``first``; without requests where the budget has no room.

        It has ``most`` requests at most.

        Raises:
            StoreUnreachable, InputError: the photos cannot be read.
            BudgetSpent: the first request does not fit, and nothing is under way.
        """
        packed: list[PackedRequest] = []
        left_out: list[tuple[Job, Photo]] = []
        size = 0
        taken: tuple[Job, Photo] | None = first
        while taken is not None:
            item, photo = taken
            most = min(most, most_images(item.attempts))
            is_better_elsewhere = item.answered_by == model and first[0].answered_by != model
            if is_better_elsewhere and len(left_out) < MOST_IMAGES:
                left_out.append(taken)
            elif len(packed) < most:
                one = self._packed(item, photo, key, model, job_id)
                is_too_large = packed and size + len(one.line) > MOST_BYTES
                if is_too_large or not self._has_room(one):
                    left_out.append(taken)
                    break
                packed.append(one)
                size += len(one.line)
            else:
                left_out.append(taken)
                break
            taken = await self.first(queue) if len(packed) < most else None
        self._carried.extendleft(reversed(left_out))
        return Pack(key, model, packed)

    def _has_room(self, one: PackedRequest) -> bool:
        return self.curator.budget.hold(one.attempt.attempt_id, one.attempt.measure)

    def _packed(self, item: Job, photo: Photo, key: Key, model: str, job_id: int) -> PackedRequest:
        curator = self.curator
        attempt_id = curator.ledger.new_attempt_id()
        item = curator.results.with_views_read(item, photo)
        own = own_id(photo.jpeg, curator.campaign_id, attempt_id)
        request = naming(item.request(photo, curator.prompts), own)
        most_output = curator.budget.most_output_in_job(request.measure)
        request = replace(request, most_output_tokens=most_output)
        known = self.known_model(model)
        attempt = Attempt(
            attempt_id=attempt_id,
            campaign_id=curator.campaign_id,
            item_id=item.item_id,
            key_fingerprint=key.fingerprint,
            project=key.project,
            model=model,
            started_at=curator.clock.now(),
            reserved_tokens=curator.estimates.input_tokens(known, request.measure),
            question=item.question,
            annotator=curator.service.value,
            measure=request.measure,
            settings=curator.estimates.asked(model),
            tier=Tier.BATCH,
            views=views_of(item),
        )
        held = BatchRequest(
            attempt_id, job_id, curator.campaign_id, item.item_id, item.question, own
        )
        body = request_body(
            request,
            self.forms.get(model, AskedForm.SCHEMA),
            self.settings.get(model, NO_SETTINGS),
        )
        return PackedRequest(item, attempt, held, request_line(str(attempt_id), body))

    def known_model(self, name: str) -> KnownModel:
        """Return what is known of a model of this run."""
        return next(model for model in self.curator.models if model.name == name)
