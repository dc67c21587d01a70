"""Exact match against what a thousand answers take."""

from dataclasses import replace

import pytest

from evaluator.reporting.charts.cost_plot import cost_plot
from evaluator.reporting.page import write_report
from evaluator.scoring.cost import Cost
from tests.evaluator.run_folders import answers, make_run


@pytest.fixture
def runs(tmp_path):
    def make(*costs):
        made = []
        for number, cost in enumerate(costs):
            run = make_run(tmp_path / f"run-{number}", answers(8, wrong=range(number)))
            made.append(replace(run, scorecard=replace(run.scorecard, cost=cost)))
        return made

    return make


def test_money_is_drawn_where_two_runs_have_a_price(runs):
    plot = cost_plot(runs(Cost(8, 90.0, usd_k=0.4), Cost(8, 10.0, usd_k=0.1), Cost(8, 5.0)))
    assert plot.unit.startswith("US dollars")
    assert [place.name for place in plot.places] == ["run-0", "run-1"]
    dear, cheap = plot.places
    assert dear.x > cheap.x
    assert dear.y < cheap.y  # it is right more often
    assert plot.ticks[0][1] == "0"


def test_time_is_drawn_where_prices_are_not_known(runs):
    plot = cost_plot(runs(Cost(8, 90.0, usd_k=0.4), Cost(8, 10.0)))
    assert plot.unit.startswith("seconds")


def test_what_costs_many_times_as_much_is_drawn_by_powers_of_ten(runs):
    plot = cost_plot(runs(Cost(8, 90.0, usd_k=0.4), Cost(8, 10.0, usd_k=0.002)))
    assert [label for _, label in plot.ticks] == ["0.001", "0.01", "0.1", "1"]
    assert all(62 <= place.x <= 720 for place in plot.places)


def test_one_run_alone_is_no_chart(runs):
    assert cost_plot(runs(Cost(8, 90.0, usd_k=0.4), None)) is None


def test_the_report_has_chart_and_table(runs, tmp_path):
    cost = Cost(8, 90.0, (0.5, 2.25), 1_000, 200_000, 3_000, 0, 0.4, "1.2 US dollars an hour")
    write_report(
        runs(cost, replace(cost, usd_k=0.2)), tmp_path / "report.html", images=None, with_rest=False
    )
    page = (tmp_path / "report.html").read_text()
    assert "What 1,000 answers take" in page
    for text in ("200,000", "0.4000", "2.25", "1.2 US dollars an hour", "cost-note"):
        assert text in page
