"""What is told in a few words: amounts as they were given, one thing as one thing."""

from __future__ import annotations

import pytest

from curator.ledger import BatchCounts
from curator.status.words import batch_words, budget_words, jobs_under_way
from shared.endpoints.models.budget_limit import BudgetLimit


@pytest.mark.parametrize(
    ("usd", "told"),
    [(0.00001, "0.00001"), (5.0, "5"), (0.5, "0.5"), (10.0, "10"), (1_250_000.0, "1,250,000")],
)
def test_a_budget_is_told_as_it_was_given(usd, told):
    assert budget_words(BudgetLimit(usd=usd), 0, 0.0) == f"0.0000 of {told} $ spent"


@pytest.mark.parametrize(
    ("jobs", "held", "told"),
    [
        ({"waiting": 1}, {"waiting": 1}, "1 batch job with 1 image goes on at the service"),
        ({"running": 2}, {"running": 9}, "2 batch jobs with 9 images go on at the service"),
        (
            {"succeeded": 8},
            {"succeeded": 1},
            "the results of batch jobs with 1 image are yet to come",
        ),
    ],
)
def test_jobs_under_way_are_told_by_what_is_still_to_come(jobs, held, told):
    assert jobs_under_way(BatchCounts(jobs, held, None, 0)).startswith(told)


def test_a_file_that_stays_and_an_image_in_a_job_are_one_each():
    words = batch_words(BatchCounts({"waiting": 1}, {"waiting": 1}, None, 1), 0.0)
    assert words == "waiting 1 (1 image); 1 file left at the service"
