"""The file that tells of each picture that could not be fetched, as it happens."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shared.errors import InputError

FILE: Final = "fetch_failures.csv"


def _urls_in(path: Path) -> frozenset[str]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return frozenset(row["url"] for row in csv.DictReader(file) if row.get("url"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return frozenset()


class FailuresFile:
    """``fetch_failures.csv`` in the folder, anew for each run; gone where nothing failed."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.reasons: Counter[str] = Counter()
        self.before = _urls_in(self.path)
        """What failed in the run before."""

    def __enter__(self) -> Self:
        """Begin the file.

        Raises:
            InputError: it cannot be written.
        """
        try:
            self._file = self.path.open(
                "w", newline="", encoding="utf-8", errors="backslashreplace"
            )
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror})") from error
        self._rows = csv.writer(self._file)
        self._rows.writerow(("url", "reason"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the file, which then tells of all failures of this run."""
        self._file.close()
        if not self.reasons:
            self.path.unlink(missing_ok=True)

    def add(self, url: str, reason: str) -> None:
        """Tell of one more."""
        self.reasons[reason] += 1
        self._rows.writerow((url, reason))
        self._file.flush()
