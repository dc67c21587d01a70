"""What a campaign will take, before the first request: time, requests, tokens and money.

The catalogue is read for its size and its texts, the use of the keys' quotas is simulated by
``curator.forecast.simulation``. What only the service could tell (tokens of an answer, price,
latency) is an assumption, stated with the result.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import field, replace
from datetime import timedelta
from itertools import groupby
from typing import Any, Final, Self

from curator.catalog import Catalog, Skipped, nothing_usable
from curator.forecast.simulation import Course, DaySpan
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import LONGEST_PX
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.known import KnownModel
from shared.endpoints.models.prices import Price
from shared.endpoints.pool.records import Meter
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import CorruptImage, StoreUnreachable
from shared.images.decoding import opened_image, read_image_file
from shared.program.reporting.progress import report_progress
from shared.records import Listing
from shared.value_class import value_class

SAMPLED_IMAGES: Final = 100
"""So many of the first images are opened to see how large they are."""
_USUAL_QUESTION: Final = "What is the main colour of the product?"


@value_class
class RequestTokens:
    """The tokens of an average request, thinking counted as output."""

    input: int
    output: int


NO_TOKENS: Final = RequestTokens(0, 0)


@value_class
class Size:
    """A catalogue's images, and the tokens of an average request about one, by model.

    ``opinions`` are the tokens of a request for a second opinion, ``skipped`` is what of the
    catalogue cannot be used. ``along`` are further images, which go along in the requests about
    others of their listings.
    """

    images: int
    listings: Mapping[str, RequestTokens]
    opinions: Mapping[str, RequestTokens]
    skipped: Skipped = field(default_factory=Skipped)
    along: int = 0

    def limited_to(self, images: int | None) -> Self:
        """Return it with so many ``images`` at most, and their share of those that go along."""
        if not images or images >= self.images:
            return self
        return replace(self, images=images, along=round(self.along * images / self.images))


@value_class
class Work:
    """All requests of a campaign, and the tokens of an average one, by model.

    Each model in use is asked ``canaries`` of ``canary_tokens`` again each day. ``left_out`` is
    what of the catalogue cannot be used: reason, count and first example.
    """

    images: int
    second_opinions: int
    tokens: Mapping[str, RequestTokens]
    left_out: Sequence[tuple[str, int, str]] = ()
    canaries: int = 0
    canary_tokens: Mapping[str, RequestTokens] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Those for questions and those for second opinions."""
        return self.images + self.second_opinions

    @property
    def rounds(self) -> int:
        """How many batch jobs follow each other: a second opinion needs the first one's reply."""
        return 2 if self.second_opinions else 1


def planned_work(
    size: Size,
    questions: int,
    verify: float,
    output_tokens: int | None = None,
    *,
    canaries: int = 0,
) -> Work:
    """Return the requests for ``size``, with second opinions on the share ``verify`` of pairs.

    ``output_tokens`` are those of a request for ``questions`` pairs, if not as estimated.
    """
    opinions = round(size.images * questions * verify)
    requests = size.images + opinions

    def average(for_listings: int, for_opinions: int) -> int:
        return round((size.images * for_listings + opinions * for_opinions) / requests)

    tokens = {
        model: RequestTokens(
            average(each.input, size.opinions[model].input),
            average(
                each.output if output_tokens is None else output_tokens,
                size.opinions[model].output,
            ),
        )
        for model, each in size.listings.items()
    }
    asked_again = min(canaries, size.images)
    return Work(size.images, opinions, tokens, size.skipped.told(), asked_again, size.opinions)


@value_class
class Assumptions:
    """What the plan cannot know: seconds a request, how many at a time, and the prices by model."""

    concurrency: int
    latency_s: float
    prices: Mapping[str, Price | None]


def measure_catalog(
    catalog: Catalog, prompts: Prompts, models: Sequence[KnownModel], estimates: TokenEstimates
) -> Size:
    """Count the images of ``catalog``, each once, and estimate the requests to each model.

    Raises:
        InputError: a file of the catalogue is unreadable, or no listing has an image.
    """
    seen: set[str] = set()
    of_listing: Counter[Hashable] = Counter()
    images = 0
    tokens: Counter[str] = Counter()
    longest_px = _usual_px(catalog)
    skipped = Skipped()
    with report_progress("reading the catalogue", None) as progress:
        for listing in catalog.listings(skipped):
            if listing.image.path not in seen:
                seen.add(listing.image.path)
                place = 0
                if prompts.views > 1:
                    key = listing.listing_id, tuple(listing.metadata.items())
                    place = of_listing[key] % prompts.views
                    of_listing[key] += 1
                images += place == 0
                measures = _measures(listing, prompts, longest_px, place)
                for model in models:
                    upto = [estimates.input_tokens(model, measure) for measure in measures]
                    tokens[model.name] += upto[-1] - sum(upto[:-1])
                progress.advance()
    if not seen:
        raise nothing_usable(catalog, skipped)
    prompt = prompts.parts[0].prompt
    usual = prompt.request({}, b"", longest_px).measure
    opinion = prompt.question_request(_USUAL_QUESTION, b"", longest_px).measure
    listings, opinions = {}, {}
    for model in models:
        listings[model.name] = RequestTokens(
            round(tokens[model.name] / images), estimates.output_tokens(model, usual)
        )
        opinions[model.name] = RequestTokens(
            estimates.input_tokens(model, opinion), estimates.output_tokens(model, opinion)
        )
    return Size(images, listings, opinions, skipped, len(seen) - images)


def _measures(listing: Listing, prompts: Prompts, longest_px: int, place: int) -> Sequence[Measure]:
    """Return the measures of the request that an image is in, without it and with it.

    ``place`` is how many images of its listing stand before it there; where there are none, the
    request begins with it.
    """
    image = listing.image.path
    prompt = prompts.of_listing(listing)
    return [
        prompt.request(
            listing.metadata, b"", longest_px, image=image, further_jpegs=(b"",) * further
        ).measure
        for further in range(max(0, place - 1), place + 1)
    ]


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
    asked, again = requests_of(course)
    by_key, again_by_key = _shares(keys, asked), _shares(keys, again)
    by_model, again_by_model = by_models(asked), by_models(again)
    return {
        "images": work.images,
        "second_opinions": work.second_opinions,
        "canaries": sum(again.values()),
        "left_out": [
            {"reason": reason, "count": count, "first": first}
            for reason, count, first in work.left_out
        ],
        "starts_at": now,
        "ends_at": course.ends_at,
        "duration_s": course.ends_at - now,
        "total": cost_object(by_model, work, assumed, again_by_model),
        "models": [
            {"model": name, **cost_object({name: by_model[name]}, work, assumed, again_by_model)}
            for name in work.tokens
        ],
        "keys": [
            {
                "label": key.label,
                "project": key.project,
                **cost_object(by_key[key.label], work, assumed, again_by_key[key.label]),
            }
            for key in keys
        ],
        "days": [_span_object(span, keys, work, assumed) for span in course.spans],
        "assumptions": {
            "input_tokens": {model: each.input for model, each in work.tokens.items()},
            "output_tokens": {model: each.output for model, each in work.tokens.items()},
            "concurrency": assumed.concurrency,
            "latency_s": assumed.latency_s,
            "prices": {model: price and price.plain() for model, price in assumed.prices.items()},
        },
    }


def requests_of(course: Course) -> tuple[Counter[Meter], Counter[Meter]]:
    """Return all requests of a course, and those among them that are canaries."""
    asked: Counter[Meter] = Counter()
    again: Counter[Meter] = Counter()
    for span in course.spans:
        for total, counts in ((asked, span.requests), (again, span.canaries)):
            total.update({meter: requests * span.days for meter, requests in counts.items()})
    return asked, again


def cost_object(
    requests: Mapping[str, int], work: Work, assumed: Assumptions, canaries: Mapping[str, int]
) -> dict[str, Any]:
    """Return what so many requests by model take; the money is unknown if one price is.

    ``canaries`` are those among them that ask again what was asked before.
    """
    taken, given, usd = 0, 0, 0.0
    for model, count in requests.items():
        again, price = canaries.get(model, 0), assumed.prices[model]
        canary = work.canary_tokens[model] if again else NO_TOKENS
        tokens = (count - again) * work.tokens[model].input + again * canary.input
        written = (count - again) * work.tokens[model].output + again * canary.output
        taken, given = taken + tokens, given + written
        if count:
            usd += math.nan if price is None else price.of(tokens, written)
    asked = sum(requests.values())
    prices = [assumed.prices[model] for model in requests or assumed.prices]
    if not asked and None in prices:
        usd = math.nan
    return {
        "requests": asked,
        "input_tokens": taken,
        "output_tokens": given,
        "usd": None if math.isnan(usd) else usd,
    }


def _shares(keys: Sequence[Key], asked: Mapping[Meter, int]) -> dict[str, Counter[str]]:
    """Return the requests of each key by label and model: the keys of a project take turns."""
    shares: dict[str, Counter[str]] = {key.label: Counter() for key in keys}
    for project, group in groupby(sorted(keys, key=_project), key=_project):
        labels = [key.label for key in group]
        first = 0
        for meter, requests in asked.items():
            if meter.project == project:
                for place, label in enumerate(labels):
                    # Where one model's round ends, the next one's begins.
                    turn = (place - first) % len(labels)
                    shares[label][meter.model] += (requests - turn - 1) // len(labels) + 1
                first = (first + requests) % len(labels)
    return shares


def by_models(asked: Mapping[Meter, int]) -> Counter[str]:
    """Return requests by model, whatever the project."""
    requests: Counter[str] = Counter()
    for meter, count in asked.items():
        requests[meter.model] += count
    return requests


def _project(key: Key) -> str:
    return key.project


def _span_object(
    span: DaySpan, keys: Sequence[Key], work: Work, assumed: Assumptions
) -> dict[str, Any]:
    """Return a span of equal days; the figures are those of each single day."""
    again, again_by_key = by_models(span.canaries), _shares(keys, span.canaries)
    return {
        "first": span.first.isoformat(),
        "last": (span.first + timedelta(days=span.days - 1)).isoformat(),
        "days": span.days,
        "each_day": cost_object(by_models(span.requests), work, assumed, again),
        "keys_each_day": {
            label: cost_object(requests, work, assumed, again_by_key[label])
            for label, requests in _shares(keys, span.requests).items()
        },
    }
