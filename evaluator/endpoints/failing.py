"""Tells a question that gets no answer from an address that answers none."""

from __future__ import annotations

from collections import Counter
from typing import Final

from evaluator.endpoints.journal import Asked
from shared.errors import AboVqaError, InputError

FIRST: Final = 20
"""So many failures before any answer end the run."""
FIRST_REFUSED: Final = 5
"""The same where the server says of each that it will not take it, always for one reason."""
IN_A_ROW: Final = 60
"""So many in a row end any run: something has changed since the last answer."""
_AGAIN: Final = "no question was given up for it: run the same command again to go on"


class NothingAnswered(AboVqaError):
    """What comes from an address is no answer, whatever is asked."""


class Failing:
    """The failures since the last answer; each counts only once there is another answer."""

    def __init__(self, told: str, *, is_proven: bool) -> None:
        """``told`` begins messages; ``is_proven`` says that the address gave answers before."""
        self._told = told
        self._is_proven = is_proven
        self._held: list[tuple[str, Asked]] = []
        self._reasons: Counter[str] = Counter()
        self._all_refused = True

    def answered(self) -> list[tuple[str, Asked]]:
        """Heed an answer; return the failures that are their questions' own."""
        self._is_proven = True
        return self._released()

    def failed(self, key: str, asked: Asked, *, is_refused: bool) -> None:
        """Count a question without an answer.

        Raises:
            InputError: the server refuses each.
            NothingAnswered: nothing that comes is an answer.
        """
        self._held.append((key, asked))
        self._reasons[asked.failure] += 1
        self._all_refused &= is_refused
        alike = self._all_refused and len(self._reasons) == 1
        most = IN_A_ROW if self._is_proven else FIRST_REFUSED if alike else FIRST
        if len(self._held) >= most:
            raise self._error()

    def end(self) -> list[tuple[str, Asked]]:
        """Return the failures that nothing came after.

        Raises:
            InputError, NothingAnswered: there was never an answer.
        """
        if self._held and not self._is_proven:
            raise self._error()
        return self._released()

    def _released(self) -> list[tuple[str, Asked]]:
        held, self._held, self._all_refused = self._held, [], True
        self._reasons.clear()
        return held

    def _error(self) -> AboVqaError:
        [(reason, count)] = self._reasons.most_common(1)
        told = (
            f"{self._told}: no answer to {len(self._held)} questions in a row, "
            f"{count} times because of {reason!r}; {_AGAIN}"
        )
        return InputError(told) if self._all_refused else NothingAnswered(told)
