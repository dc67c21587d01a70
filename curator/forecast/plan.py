"""What a campaign will take, before the first request: time, requests, tokens and money.

The catalogue is read for its size and its texts, the use of the keys' quotas is simulated by
``curator.forecast.simulation``. What only the service could tell (tokens of an answer, price,
latency) is an assumption, stated with the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.annotators.image_encoding import LONGEST_PX
from curator.annotators.prompt import Prompt
from curator.catalog import Catalog, Skipped, nothing_usable
from curator.forecast.simulation import Course, DaySpan
from curator.keys.key import Key
from curator.keys.models import KnownModel
from curator.keys.prices import Price
from curator.keys.quota import Quota
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import opened_image, read_image_file
from shared.program.durations import duration, local_time
from shared.program.progress import report_progress

SAMPLED_IMAGES: Final = 100
"""So many of the first images are opened to see how large they are."""
_USUAL_QUESTION: Final = "What is the main colour of the product?"
ANSWER_TOKENS: Final = 40
"""Output tokens of one pair as JSON; thinking, where a model does it, comes on top."""


OPINION_TOKENS: Final = 10
"""Output tokens of a second opinion, one answer as JSON."""


@dataclass(frozen=True, slots=True)
class Size:
    """A catalogue's images, and the input tokens of an average request about one.

    ``opinion_tokens`` are the input tokens of a request for a second opinion, ``skipped`` is what
    of the catalogue cannot be used.
    """

    images: int
    input_tokens: int
    opinion_tokens: int = 0
    skipped: Skipped = field(default_factory=Skipped)


@dataclass(frozen=True, slots=True)
class Work:
    """All requests of a campaign, and the tokens of an average one, in and out.

    ``left_out`` is what of the catalogue cannot be used: reason, count and first example.
    """

    images: int
    second_opinions: int
    input_tokens: int
    output_tokens: int
    left_out: Sequence[tuple[str, int, str]] = ()

    @property
    def requests(self) -> int:
        """Those for questions and those for second opinions."""
        return self.images + self.second_opinions


def planned_work(size: Size, questions: int, verify: float, output_tokens: int) -> Work:
    """Return the requests for ``size``, with second opinions on the share ``verify`` of pairs.

    ``output_tokens`` are those of a request for ``questions`` pairs.
    """
    opinions = round(size.images * questions * verify)
    requests = size.images + opinions
    taken = size.images * size.input_tokens + opinions * size.opinion_tokens
    given = size.images * output_tokens + opinions * OPINION_TOKENS
    return Work(
        size.images,
        opinions,
        round(taken / requests),
        round(given / requests),
        size.skipped.told(),
    )


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the plan cannot know: seconds a request, how many at a time, and the price."""

    concurrency: int
    latency_s: float
    price: Price | None


def measure_catalog(catalog: Catalog, prompt: Prompt, model: KnownModel) -> Size:
    """Count the images of ``catalog``, each once, and estimate the requests to ``model``.

    Raises:
        InputError: a file of the catalogue is unreadable, or no listing has an image.
    """
    seen: set[str] = set()
    tokens = 0
    longest_px = _usual_px(catalog)
    skipped = Skipped()
    with report_progress("reading the catalogue", None) as progress:
        for listing in catalog.listings(skipped):
            if listing.image.path not in seen:
                seen.add(listing.image.path)
                request = prompt.request(listing.metadata, b"", longest_px)
                tokens += request.estimated_tokens(model)
                progress.advance()
    if not seen:
        raise nothing_usable(catalog, skipped)
    opinion = prompt.question_request(_USUAL_QUESTION, b"", longest_px)
    each = round(tokens / len(seen))
    return Size(len(seen), each, opinion.estimated_tokens(model), skipped)


def _usual_px(catalog: Catalog) -> int:
    """Return the longer side of a usual image, as sent; the largest where none can be read."""
    sides = []
    for listing, _ in zip(catalog.listings(Skipped()), range(SAMPLED_IMAGES), strict=False):
        path = catalog.images_dir / listing.image.path
        try:
            with opened_image(read_image_file(path), str(path)) as image:
                sides.append(max(image.size))
        except (CorruptImage, StoreUnreachable):
            continue
    return min(LONGEST_PX, sorted(sides)[len(sides) // 2]) if sides else LONGEST_PX


def with_limits(keys: Sequence[Key], limits: Quota) -> list[Key]:
    """Return the keys, those that state no limits with ``limits``."""
    return [replace(key, quota=limits) if key.quota == Quota() else key for key in keys]


def plan_object(
    keys: Sequence[Key], work: Work, course: Course, assumed: Assumptions, now: float
) -> dict[str, Any]:
    """Return the plan as plain values; times are seconds since the epoch, days are Pacific."""
    by_project: Counter[str] = Counter()
    for span in course.spans:
        for project, requests in _by_project(span).items():
            by_project[project] += requests * span.days
    by_key = _shares(keys, by_project)
    return {
        "images": work.images,
        "second_opinions": work.second_opinions,
        "left_out": [
            {"reason": reason, "count": count, "first": first}
            for reason, count, first in work.left_out
        ],
        "starts_at": now,
        "ends_at": course.ends_at,
        "duration_s": course.ends_at - now,
        "total": _cost(by_project.total(), work, assumed),
        "keys": [
            {"label": key.label, "project": key.project, **_cost(by_key[key.label], work, assumed)}
            for key in keys
        ],
        "days": [_span_object(span, keys, work, assumed) for span in course.spans],
        "assumptions": {
            "input_tokens": work.input_tokens,
            "output_tokens": work.output_tokens,
            **asdict(assumed),
        },
    }


def _cost(requests: int, work: Work, assumed: Assumptions) -> dict[str, Any]:
    taken, given = requests * work.input_tokens, requests * work.output_tokens
    price = assumed.price
    usd = None if price is None else price.of(taken, given)
    return {"requests": requests, "input_tokens": taken, "output_tokens": given, "usd": usd}


def _shares(keys: Sequence[Key], by_project: Mapping[str, int]) -> dict[str, int]:
    """Return the requests of each key by label: the keys of a project take turns."""
    shares: dict[str, int] = {}
    for project, group in groupby(sorted(keys, key=_project), key=_project):
        labels = [key.label for key in group]
        each, more = divmod(by_project.get(project, 0), len(labels))
        shares |= {label: each + (place < more) for place, label in enumerate(labels)}
    return shares


def _by_project(span: DaySpan) -> Counter[str]:
    requests: Counter[str] = Counter()
    for meter, count in span.requests.items():
        requests[meter.project] += count
    return requests


def _project(key: Key) -> str:
    return key.project


def _span_object(
    span: DaySpan, keys: Sequence[Key], work: Work, assumed: Assumptions
) -> dict[str, Any]:
    """Return a span of equal days; the figures are those of each single day."""
    return {
        "first": span.first.isoformat(),
        "last": (span.first + timedelta(days=span.days - 1)).isoformat(),
        "days": span.days,
        "each_day": _cost(sum(span.requests.values()), work, assumed),
        "keys_each_day": {
            label: _cost(requests, work, assumed)
            for label, requests in _shares(keys, _by_project(span)).items()
        },
    }


def plan_view(plan: Mapping[str, Any]) -> RenderableType:
    """Return the object of ``plan_object`` for a terminal."""
    keys = Table("key", "project", *_columns(), title="by key", title_justify="left")
    for key in plan["keys"]:
        keys.add_row(Text(key["label"]), Text(key["project"]), *_cells(key))
    keys.add_row(Text("all", style="bold"), "", *_cells(plan["total"]))
    days = Table("days (Pacific)", "", *_columns(), title="each day", title_justify="left")
    for span in plan["days"]:
        last = "" if span["days"] == 1 else f" to {span['last']}"
        days.add_row(f"{span['first']}{last}", f"{span['days']} d", *_cells(span["each_day"]))
    assumed = plan["assumptions"]
    price = assumed["price"]
    money = "no price known for this model; give --input-price and --output-price"
    if price:
        money = f"{price['input_usd']:g} and {price['output_usd']:g} $ a million tokens in and out"
    left_out = [
        Text(f"Left out: {entry['count']:,} {entry['reason']} (first: {entry['first']})")
        for entry in plan["left_out"]
    ]
    opinions = plan["second_opinions"]
    again = f" and {opinions:,} second opinions" if opinions else ""
    return Group(
        Text(
            f"{plan['images']} images{again}: {duration(plan['duration_s'])}, until "
            f"{local_time(plan['ends_at'])}",
            style="bold",
        ),
        *left_out,
        keys,
        days,
        Text(
            f"Assumed: {assumed['input_tokens']} tokens in and {assumed['output_tokens']} out a "
            f"request, {assumed['latency_s']:g} s each, {assumed['concurrency']} at a time; "
            f"{money}; free keys pay nothing."
        ),
    )


def _columns() -> tuple[str, ...]:
    return ("requests", "tokens in", "tokens out", "$")


def _cells(cost: Mapping[str, Any]) -> tuple[str, ...]:
    money = "?" if cost["usd"] is None else f"{cost['usd']:,.2f}"
    counts = (cost[name] for name in ("requests", "input_tokens", "output_tokens"))
    return (*(f"{count:,}" for count in counts), money)
