"""How large batch jobs are, how often they are looked at, and how long they are waited for.

Choices of ours, none a limit of the service's, which tells its own by refusing. Google's documents
allow files of 2 GB; but the results of a job with 1.2 GB of images could not be fetched any more
(its forum, topic 174261), and what happens to one job happens to all that it holds. So jobs are
many and small.
"""

from __future__ import annotations

from typing import Final

from shared.program.durations import DAY_S, MINUTE_S

MOST_IMAGES: Final = 100
"""Requests of one job: as many as a person would still look at when it comes to nothing."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a job's file: it is in memory, about twice, while it is uploaded."""
SHRINKS_BY: Final = 4
"""A job is so many times smaller for each time that one of its images failed before: the image
that spoils its job is soon alone with few."""
FIRST_LOOK_S: Final = 10.0
"""Between two looks at a job, at least; then a tenth of its age,"""
LONGEST_LOOK_S: Final = 5 * MINUTE_S
"""and at most so long: one small request in five minutes costs nobody anything."""
DOUBT_S: Final = 30.0
"""So long a job may be on its way that was sent off just before the program ended, or whose answer
was lost; one that is not there then never was."""
RESULTS_S: Final = 10 * MINUTE_S
"""So long the results of a job that has succeeded may be late; then it has none."""
WAITED_FOR_S: Final = 3 * DAY_S
"""A job is given up that is not over by then, or cannot be looked at with any key: Google ends
jobs after a day or two, and its images are to be asked again at some time."""
MOST_BARREN: Final = 3
"""So many jobs in a row that bring not one reply end a run."""


def most_images(failures: int) -> int:
    """Return how many requests a job may have that holds an image which failed so often."""
    return int(max(1, MOST_IMAGES // SHRINKS_BY**failures))


def next_look_s(age_s: float) -> float:
    """Return the seconds until the next look at a job that was made ``age_s`` seconds ago."""
    return min(LONGEST_LOOK_S, max(FIRST_LOOK_S, age_s / 10))
