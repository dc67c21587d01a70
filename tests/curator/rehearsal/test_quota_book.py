"""Whatever is asked and whenever: what is admitted fits every window."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from curator.rehearsal.quota_book import PacificDays, ProjectLimits, QuotaBook, ShortDays
from tests.fakes.clock import NOON_IN_LOS_ANGELES

LIMIT = st.none() | st.integers(1, 6)
REQUESTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 7.0, 30.0, 59.9, 60.0, 61.0]), st.integers(0, 40)),
    max_size=60,
)


@given(rpm=LIMIT, rpd=LIMIT, tpm=st.none() | st.integers(40, 120), requests=REQUESTS)
def test_no_window_is_ever_over_its_limit(
    rpm: int | None, rpd: int | None, tpm: int | None, requests: list[tuple[float, int]]
):
    now = NOON_IN_LOS_ANGELES
    book = QuotaBook(ShortDays(now, 200.0))
    limits = ProjectLimits(rpm=rpm, tpm=tpm, rpd=rpd)
    admitted: list[tuple[float, int]] = []
    for pause, tokens in requests:
        now += pause
        over = book.admit("p", "m", limits, tokens, now)
        minute = [one for one in admitted if one[0] > now - 60.0]
        day = [one for one in admitted if one[0] >= book.day_end(now) - 200.0]
        fits = (
            (rpm is None or len(minute) < rpm)
            and (tpm is None or sum(one[1] for one in minute) + tokens <= tpm)
            and (rpd is None or len(day) < rpd)
        )
        assert (over is None) is fits
        if over is None:
            admitted.append((now, tokens))


@given(rpm=LIMIT, tpm=st.none() | st.integers(40, 120), requests=REQUESTS)
def test_a_refused_request_fits_after_the_delay_that_was_named(
    rpm: int | None, tpm: int | None, requests: list[tuple[float, int]]
):
    now = NOON_IN_LOS_ANGELES
    book = QuotaBook(PacificDays())
    limits = ProjectLimits(rpm=rpm, tpm=tpm)
    for pause, tokens in requests:
        now += pause
        over = book.admit("p", "m", limits, tokens, now)
        if over is not None:
            assert 0 < over.fits_in_s <= 60.0
            now += over.fits_in_s
            assert book.admit("p", "m", limits, tokens, now) is None


def test_days_follow_daylight_saving():
    start = datetime(2025, 11, 2, 7, 0, tzinfo=UTC).timestamp()  # midnight, in summer time
    end = datetime(2025, 11, 3, 8, 0, tzinfo=UTC).timestamp()  # midnight, in winter time
    assert PacificDays().end(start) == end
    assert PacificDays().end(end - 1) == end
    assert PacificDays(offset_s=3600).end(start) == end - 3600
