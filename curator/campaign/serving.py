"""What follows for those who serve: keys, projects and models of which much, or nothing, comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from curator.campaign.failures.suspects import USELESS_TRIES, Source, Suspect, UsefulSources
from curator.campaign.results import Results, Try
from curator.ledger import KeyRemoval, ProjectNews
from shared.endpoints.keys.key import Key
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import ProjectRecord
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.refusals.refusal import InvalidKey, ModelRefused
from shared.program.clock import Clock


@dataclass(slots=True)
class Serving:
    """Tells the pool, and returns what the ledger is to remember."""

    pool: KeyPool
    clock: Clock
    results: Results
    useful: UsefulSources

    def news(self, record: ProjectRecord) -> ProjectNews:
        """Return what was told now of a project."""
        return ProjectNews(record, self.clock.now())

    def tell(self, news: Sequence[ProjectNews]) -> None:
        """Write news that no result brings."""
        for each in news:
            self.results.tell(each)

    def removal(self, key: Key, refusal: InvalidKey) -> KeyRemoval:
        """Take a key out of the pool."""
        self.pool.remove(key, refusal)
        return KeyRemoval.of(key, refusal.reason, self.clock.now())

    def taken(self, tried: Try) -> None:
        """Heed that the server took the key; of a batch job, that was known when it was made."""
        if tried.tier is not Tier.BATCH:
            self.pool.taken(tried.lease)

    def settled(self, tried: Try, reply: Reply) -> list[ProjectNews]:
        """Count what a reply took of its project's quota."""
        lease = tried.lease
        if tried.tier is Tier.BATCH:
            # It has a quota of its own; and the run may be one with other keys and models.
            return []
        # A reply that counts no tokens leaves the estimate standing.
        record = self.pool.settle(lease, reply.input_tokens or lease.reservation.tokens)
        return [] if record is None else [self.news(record)]

    def news_if_useless(
        self, lease: Lease, suspect: Suspect, reason: str
    ) -> Sequence[ProjectNews | KeyRemoval]:
        """Ask no more with a key, or for a model, of which alone nothing comes."""
        is_asked = lease.meter in self.pool.records()
        if not is_asked or not self.useful.is_useless(source_of(lease), suspect):
            return []
        told = f"none of {USELESS_TRIES} requests came to anything: {reason}"
        if suspect is Suspect.KEY:
            return [replace(self.removal(lease.key, InvalidKey(told)), is_for_good=False)]
        if suspect is Suspect.MODEL:
            return self.closed_model(lease, reason)
        return list(map(self.news, self.pool.close(lease, ModelRefused(told))))

    def closed_model(self, lease: Lease, reason: str) -> list[ProjectNews]:
        """Ask no more for a model of which nothing comes."""
        told = f"none of {USELESS_TRIES} requests came to anything: {reason}"
        records = self.pool.close_model(lease.model, ModelRefused(told))
        return [self.news(record) for record in records]


def source_of(lease: Lease) -> Source:
    """Return where the reply to a request comes from."""
    return Source(lease.key.fingerprint, lease.model)
