"""What a run's log tells of replies, of which a lost ledger can be made again."""

from __future__ import annotations

from typing import Final

REPLY_LINE: Final = rb'"event": ?"reply"'
"""What the line of a reply has in it, and no other."""
LOGGED_CHARACTERS: Final = 2_000
"""Of a reply's text, so many are logged."""
TOLD_LINE: Final = rb'"event": ?"(campaign|reply)"'
"""What the lines have in them that a ledger is made of: who is asked for what, and what came."""
