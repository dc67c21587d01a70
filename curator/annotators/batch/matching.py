"""Gives each result of a batch job to the request whose image it names; pure.

A result under the key of another request of its job goes to the one that it names. One that names
nobody is believed for nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from curator.annotators.batch.lines import ResultLine
from curator.prompts.own_ids import named_id
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.refusals.refusal import Refusal


@dataclass(slots=True)
class Matched:
    """What came of a job's requests, by their keys.

    ``replies`` name the image of their request. ``nameless`` came under a key instead of that; what
    they took is to be paid. ``refusals`` came in place of a reply. ``missing`` are keys for which
    nothing came. ``put_right`` counts the replies that came under another key, ``surplus`` the
    results that belong to no request of these, or came twice.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    nameless: dict[str, Reply] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    put_right: int = 0
    surplus: int = 0


def matched(results: Iterable[ResultLine], own_ids: Mapping[str, str]) -> Matched:
    """Give each of ``results`` to its request; ``own_ids`` are the ids of all, by key."""
    keys_by_id = {own: key for key, own in own_ids.items()}
    found = Matched()
    strays: list[tuple[str, Reply]] = []
    for line in results:
        if isinstance(line.result, Refusal):
            _keep_refusal(found, line.key, line.result, own_ids)
            continue
        key = keys_by_id.get(named_id(line.result.text), "")
        if not key:
            strays.append((line.key, line.result))
        elif key in found.replies:
            found.surplus += 1
        else:
            found.replies[key] = line.result
            found.put_right += key != line.key
    for key, reply in strays:
        if key not in own_ids or key in found.replies or key in found.nameless:
            found.surplus += 1
        else:
            found.nameless[key] = reply
    # Of two that came under a key, the reply counts.
    settled = found.replies.keys() | found.nameless.keys()
    found.refusals = {key: told for key, told in found.refusals.items() if key not in settled}
    found.missing = [key for key in own_ids if key not in settled and key not in found.refusals]
    return found


def _keep_refusal(found: Matched, key: str, refusal: Refusal, own_ids: Mapping[str, str]) -> None:
    if key in own_ids and key not in found.refusals:
        found.refusals[key] = refusal
    else:
        found.surplus += 1
