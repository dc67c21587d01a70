"""The exceptions that this project raises on purpose, and the exit code each one means.

    AboVqaError                 exit 1: the work failed
    ├── InputError              exit 2: bad input; the message says the way out
    │   └── CorruptImage        one image cannot be decoded; counted, never fatal for a run
    ├── StoreUnreachable        exit 1: nobody knows how a file is; never an image's fault
    ├── StoppedForNow           exit 75: run the same command again
    └── AdapterNotApplied       exit 2: an adapter that is of another base, or changes nothing

Parts add their own leaves below these, next to the code that raises them.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED_FOR_NOW = 75
"""``EX_TEMPFAIL`` of sysexits.h: come back later."""


class AboVqaError(Exception):
    """Root of everything this project raises on purpose."""

    exit_code = EXIT_FAILED

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows of it: the line that a command would print, and no frames."""
        return [f"{type(self).__name__}: {self}"]


class InputError(AboVqaError):
    """A file, option or recipe cannot be used as given; the message names it and the way out."""

    exit_code = EXIT_BAD_INPUT


class CorruptImage(InputError):
    """One image file is missing, empty or cannot be decoded."""


class StoreUnreachable(AboVqaError):
    """A disk or a store does not give a file, which may well be there, or does not answer."""


class StoppedForNow(AboVqaError):
    """The work stopped in good order before its end; the same command goes on with it."""

    exit_code = EXIT_STOPPED_FOR_NOW


class AdapterNotApplied(AboVqaError):
    """The adapter's weights do not reach the model: missing, unexpected or all-zero tensors."""

    exit_code = EXIT_BAD_INPUT
