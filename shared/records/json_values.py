"""Values of JSON that somebody else wrote, whose texts can all be written again; pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from shared.records.records import as_unicode

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def json_value(text: str) -> Any:  # noqa: ANN401 (what was written)
    r"""Return what a JSON text says; half of a character, cut in two, is U+FFFD.

    >>> json_value('["re\\ud800d"]') == ["re\ufffdd"]
    True

    Raises:
        ValueError: it is not JSON, or holds a number that is too long.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(text)
    return _mended(value) if _SURROGATE.search(text) else value


def _mended(value: Any) -> Any:  # noqa: ANN401 (what was written)
    match value:
        case str():
            return as_unicode(value)
        case list():
            return [_mended(item) for item in value]
        case dict():
            return {_mended(name): _mended(item) for name, item in value.items()}
    return value
