"""Failures without a success between them: an image's own fault, or that of all images' campaign.

An image is to blame only for what others do not meet too. So none is given up for good before the
next success; where that does not come, the streak ends the run, and its images wait on. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from curator.campaign.failures.suspects import Source
from curator.campaign.waiting.jobs import Job
from curator.status.words import times
from shared.errors import AboVqaError, InputError
from shared.value_class import value_class

FIRST_TRIES: Final = 20
"""So many requests that fail alike end a campaign that nothing ever came of."""
LONG_TRIES: Final = 60
"""So many in a row, alike or not, end any."""
FIRST_PHOTOS: Final = 100
LONG_PHOTOS: Final = 1_000
"""The same of photos that cannot be read: looking at them costs nothing."""
_EXAMPLE_CHARACTERS: Final = 200
_NUMBER: Final = re.compile(r"\d+")
AGAIN: Final = "run the same command again"


class BringsNothing(AboVqaError):
    """What was tried came to nothing, and so will the rest; everything waits."""


@value_class
class Failure:
    """Why a try failed; ``example`` is what the service, or the machine, told of it.

    ``is_refused`` says that the service would not take the request.
    """

    reason: str
    example: str = ""
    is_refused: bool = False

    @property
    def kind(self) -> str:
        """What is the same for failures that are alike."""
        return _NUMBER.sub("#", self.reason)


@value_class
class Held:
    """A job that has no tries left, why, and the source that may be to blame, if any may."""

    job: Job
    reason: str
    source: Source | None = None


@dataclass(slots=True)
class Streak:
    """The failures since the last success.

    ``is_proven`` says that a success was seen, in this run or not long before it. So many
    failures that are alike end what is not proven, and so many in a row all.
    """

    is_proven: bool
    first: int = FIRST_TRIES
    long: int = LONG_TRIES
    was_seen: bool = False
    tries: int = 0
    examples: dict[str, Failure] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    jobs: dict[object, Job] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)

    def success(self) -> list[Held]:
        """End the streak; return what was held."""
        self.is_proven = self.was_seen = True
        return self.restart() if self.tries else []

    def restart(self) -> list[Held]:
        """Begin anew; return what was held."""
        self.tries = 0
        for part in (self.examples, self.counts, self.jobs):
            part.clear()
        return self.give_up()

    def failure(self, job: Job, failure: Failure) -> None:
        """Count a try that failed."""
        self.tries += 1
        self.counts[failure.kind] += 1
        self.examples.setdefault(failure.kind, failure)
        self.jobs[job.key] = job

    def settled(self, job: Job) -> None:
        """Forget a job that is not tried any more."""
        self.jobs.pop(job.key, None)

    def give_up(self) -> list[Held]:
        """Return what is held, which is not held any longer."""
        held, self.held = self.held, []
        return held

    def hold(self, held: Held) -> None:
        """Keep a job that has no tries left until it is known whose fault that is."""
        self.held.append(held)

    @property
    def is_hopeless(self) -> bool:
        """Whether it is long enough to say that the rest would fail too."""
        if self.tries >= self.long:
            return True
        return not self.is_proven and self.tries >= self.first and self._are_alike

    @property
    def took_all(self) -> bool:
        """Whether, with nothing left to try, what is held is not to be given up either."""
        if not self.held:
            return False
        if not self.is_proven:
            return True
        # The last of a queue are few; so many that are alike have something else in common.
        are_many = len(self.held) >= FIRST_TRIES and self._are_alike
        return are_many and (self.most_common.is_refused or not self.was_seen)

    @property
    def _are_alike(self) -> bool:
        return len(self.counts) == 1

    @property
    def most_common(self) -> Failure:
        """The failure that was seen most often."""
        [(kind, _)] = self.counts.most_common(1)
        return self.examples[kind]

    def told(self) -> str:
        """Return the reasons with their counts, and an example of what was told."""
        reasons = ", ".join(
            f"{times(count)} {self.examples[kind].reason!r}"
            for kind, count in self.counts.most_common(3)
        )
        example = printable(self.most_common.example)
        return f"{reasons}; for example {example}" if example else reasons


def printable(text: str) -> str:
    """Return the start of foreign words, in one line without control characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(line.split())
    return line if len(line) <= _EXAMPLE_CHARACTERS else f"{line[:_EXAMPLE_CHARACTERS]}..."


def no_replies(streak: Streak) -> AboVqaError:
    """Return the error that ends a run of which no request brings anything."""
    head = (
        f"nothing comes of this campaign: {streak.tries} requests in a row failed, {streak.told()}"
    )
    if streak.most_common.is_refused:
        return InputError(
            f"{head}. Nothing was given up for it: ask for what the service takes (--model, "
            f"--endpoint, --questions), then {AGAIN}"
        )
    return BringsNothing(
        f"{head}. Nothing was given up for it: try another --model or a longer --answer-words; "
        f"to go on all the same, {AGAIN}"
    )


def no_photos(streak: Streak, images_dir: Path) -> InputError:
    """Return the error that ends a run whose images cannot be read."""
    return InputError(
        f"images folder {images_dir}: none of {len(streak.jobs)} images in a row can be read, "
        f"{streak.told()}. None was given up for it: mend that or give another --images, "
        f"then {AGAIN}"
    )
