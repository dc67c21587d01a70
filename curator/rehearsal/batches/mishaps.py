"""What goes wrong with jobs, their results and their files, and the settings of a job's life."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from curator.rehearsal.faults import Fault
from shared.program.command_line.nearest import nearest
from shared.program.durations import DAY_S
from shared.value_class import value_class


class JobMishap(StrEnum):
    """Something that befalls a job; counted by jobs that are made."""

    LATE = "late"
    """It takes ``late_s`` longer."""
    EMPTY = "empty"
    """It succeeds, and there is no result at all, nor a file of them."""
    BLANK = "blank"
    """It succeeds, and its file of results has no line."""
    PARTLY = "partly"
    """It succeeds in part: the results of the second half do not come."""
    FAILED = "failed"
    """It fails in the place of an end."""
    EXPIRED = "expired"
    """It was not done in time."""
    CANCELLED = "cancelled"
    """Somebody else cancelled it."""
    GONE = "gone"
    """When it is over, nobody is shown it."""
    UNKNOWN_STATE = "unknown_state"
    """It stays in a state that no documentation names, and is done."""
    SHUFFLED = "shuffled"
    """Its results come in another order."""
    OUTPUT_LATE = "output_late"
    """It has succeeded, and its results come ``output_late_s`` after."""
    CREATE_DROPPED = "create_dropped"
    """It is made, and the connection is closed without telling so."""
    CREATE_REFUSED = "create_refused"
    """503: it is not made."""


class RowMishap(StrEnum):
    """Something that befalls one result; counted by requests that jobs have answered."""

    SWAPPED = "swapped"
    """It comes under the key of the next request, and that one's under its own."""
    MISSING = "missing"
    """It does not come."""
    ROW_ERROR = "row_error"
    """An error comes in its place."""
    TWICE = "twice"
    """It comes two times."""
    BROKEN_LINE = "broken_line"
    """Half of its line comes."""


class UploadMishap(StrEnum):
    """Something that befalls a part of an upload."""

    UPLOAD_FAILED = "upload_failed"
    """503, and the upload is lost."""
    UPLOAD_DROPPED = "upload_dropped"
    """The file is kept, and the connection is closed without telling so."""


class LookMishap(StrEnum):
    """Something that befalls a look at jobs."""

    LOOK_FAILED = "look_failed"
    """503."""
    LOOK_CUT = "look_cut"
    """Status 200 and half of the JSON."""


class DownloadMishap(StrEnum):
    """Something that befalls a download."""

    DOWNLOAD_FAILED = "download_failed"
    """503."""
    DOWNLOAD_CUT = "download_cut"
    """The connection is closed in the middle."""


CONTENT_FAULTS: Final = frozenset(
    {
        Fault.MAX_TOKENS,
        Fault.SAFETY,
        Fault.RECITATION,
        Fault.BLOCKED_PROMPT,
        Fault.NO_CANDIDATE,
        Fault.NONSENSE,
        Fault.FENCED,
        Fault.NUMBERED,
        Fault.TRAILING_COMMA,
        Fault.WRONG_COUNT,
        Fault.WRONG_ANSWER,
    }
)
"""What may go wrong with what the model writes."""


def checked_kind(kind: str) -> str:
    """Return the name of something that may go wrong with jobs.

    Raises:
        ValueError: there is no such thing; the nearest name is told.
    """
    known = [*JobMishap, *RowMishap, *UploadMishap, *LookMishap, *DownloadMishap]
    names = [*(mishap.value for mishap in known), *sorted(CONTENT_FAULTS)]
    if kind in names:
        return kind
    near = nearest(kind, names)
    way_out = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    raise ValueError(f"nothing that goes wrong with jobs is called {kind!r}; {way_out}")


@value_class
class JobLife:
    """How long jobs take, in seconds.

    A job waits ``pending_s`` and runs ``running_s``; one that is not over after ``expires_s`` never
    will be. ``cancelling_s`` is how long it goes on after it was cancelled.
    """

    pending_s: float = 0.0
    running_s: float = 0.0
    expires_s: float = 2 * DAY_S
    late_s: float = DAY_S
    output_late_s: float = 60.0
    cancelling_s: float = 0.0
