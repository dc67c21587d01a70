"""What a service tells of a batch job is read whole, also what the SDK leaves out."""

from __future__ import annotations

import json

import pytest

from curator.annotators.batch.job_state import JobState
from curator.annotators.batch.operations import read_operation
from shared.endpoints.refusals.refusal import BadRequest, Unavailable
from shared.program.reporting.secret_mask import SecretMask

MASK = SecretMask([])


def told(state: str, metadata: dict | None = None, **more):
    content = {"name": "batches/b1", "metadata": {"state": state} | (metadata or {})} | more
    return read_operation(json.dumps(content), MASK)


@pytest.mark.parametrize(
    ("word", "state", "is_over"),
    [
        ("PENDING", JobState.WAITING, False),
        ("RUNNING", JobState.RUNNING, False),
        ("SUCCEEDED", JobState.SUCCEEDED, True),
        ("FAILED", JobState.FAILED, True),
        ("CANCELLED", JobState.CANCELLED, True),
        ("EXPIRED", JobState.EXPIRED, True),
        ("UNSPECIFIED", JobState.RUNNING, False),
        ("HIBERNATING", JobState.RUNNING, False),
    ],
)
@pytest.mark.parametrize("prefix", ["BATCH_STATE_", "JOB_STATE_"])
def test_states_go_by_the_words_of_the_wire_and_of_the_sdk(prefix, word, state, is_over):
    operation = told(prefix + word)
    assert (operation.state, operation.state.is_over) == (state, is_over)
    assert operation.unknown_state == (word if word in {"UNSPECIFIED", "HIBERNATING"} else "")


def test_a_state_that_nobody_knows_is_over_where_the_operation_is():
    assert told("BATCH_STATE_DISSOLVED", done=True).state is JobState.SUCCEEDED
    error = {"code": 3, "message": "no such field"}
    operation = told("BATCH_STATE_DISSOLVED", done=True, error=error)
    assert operation.state is JobState.FAILED
    assert isinstance(operation.refusal, BadRequest)
    assert operation.refusal.reason == "INVALID_ARGUMENT: no such field"


def test_the_file_of_results_is_found_wherever_it_is_told():
    file = "files/batch-b1"
    for operation in (
        told("BATCH_STATE_SUCCEEDED", {"output": {"responsesFile": file}}),
        told("BATCH_STATE_SUCCEEDED", response={"responsesFile": file}),
        told("BATCH_STATE_SUCCEEDED", response={"output": {"responsesFile": file}}),
    ):
        assert operation.results_file == file
    assert told("BATCH_STATE_SUCCEEDED").results_file == ""


def test_counts_and_errors_that_the_sdk_leaves_out_are_there():
    operation = told("BATCH_STATE_FAILED", {"batchStats": {"failedRequestCount": "3"}})
    assert (operation.failed_requests, operation.refusal) == (3, None)


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"name": 3}', '{"name": "batches/'])
def test_an_answer_that_tells_of_no_job_is_one_to_ask_for_again(body):
    with pytest.raises(Unavailable):
        read_operation(body, MASK)
