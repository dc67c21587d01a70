"""The last line of a command: which one comes next, as one would type it.

It goes to standard error, so that what is piped or redirected is the result alone. A word in
capitals stands for what only the user knows.
"""

from __future__ import annotations

import shlex
import sys


def tell_next(*words: object) -> None:
    """Name the next command; each word is quoted for a shell where it has to be."""
    # Both may go to one terminal, where this is to be the last line.
    sys.stdout.flush()
    print(f"next: {typed(*words)}", file=sys.stderr)


def typed(*words: object) -> str:
    """Return a command as one would type it.

    >>> typed("curator", "export", "--ledger", "my chairs.db")
    "curator export --ledger 'my chairs.db'"
    """
    return shlex.join(map(str, words))
