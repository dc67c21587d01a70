"""The environment variables that the curator reads."""

from __future__ import annotations

from typing import Final

KEYS_VARIABLE: Final = "GEMINI_API_KEYS"
OPTIONAL_KEYS_VARIABLE: Final = "OPENAI_API_KEY"
TOKEN_VARIABLE: Final = "CURATOR_STATUS_TOKEN"  # noqa: S105 - a name, no token
