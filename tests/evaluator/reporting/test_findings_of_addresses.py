"""What a report says of runs that were asked over HTTP."""

from dataclasses import replace

from evaluator.answering.messages import FAILED_ANSWER
from evaluator.reporting.findings import findings
from evaluator.runs.record import EvaluationRecord
from tests.evaluator.run_folders import answers, make_run


def test_failures_are_told_with_their_commonest_reason(tmp_path):
    rows = answers(8, wrong=())
    reasons = ["400: no", "400: no", "blocked"]
    failed = [
        replace(row, answer=FAILED_ANSWER, failure=reason)
        for row, reason in zip(rows, reasons, strict=False)
    ]
    run = make_run(tmp_path / "run", [*failed, *rows[3:]])
    assert run.scorecard.failed_answers == 3
    assert run.scorecard.scores.metrics["exact_match"].mean == 5 / 8
    [told] = [sentence for sentence in findings([run]) if "got no answer" in sentence]
    assert "3 questions got no answer and score 0, 2 times because of: 400: no." in told


def test_that_no_probability_is_told_is_said_of_addresses_alone(tmp_path):
    rows = [replace(row, confidence=None) for row in answers(8, wrong=())]
    run = make_run(tmp_path / "run", rows)
    told = "does not tell how likely its answers are"
    assert not any(told in sentence for sentence in findings([run]))
    served = replace(run, record=EvaluationRecord(service="openai"))
    assert any(told in sentence for sentence in findings([served]))
