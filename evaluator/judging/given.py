"""A judge as options name it: read and checked, before anything is asked or written."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from evaluator.answering.named_adapters import AdapterChoice
from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.address.given import endpoint_of
from evaluator.endpoints.address.options import AddressOptions
from evaluator.judging.judge import AddressJudge
from evaluator.judging.options import JudgeOptions
from evaluator.judging.rubric import Rubric, default_rubric, read_rubric
from evaluator.judging.verdicts import Verdicts, verdicts_file
from shared.endpoints.protocols.annotator import AskedForm
from shared.endpoints.protocols.registry import Service
from shared.program.clock import Clock
from shared.vqa.inputs.instruction import NO_INSTRUCTION

MOST_TOKENS: Final = 2_048
"""What bounds a verdict at a server that takes a bound: some think before it."""


def judge_of(options: JudgeOptions, clock: Clock) -> AddressJudge:
    """Return the judge that options name; nothing is sent.

    Raises:
        InputError: address, keys, rubric or file of verdicts cannot be used.
    """
    endpoint, rubric = judge_endpoint(options), rubric_of(options)
    return AddressJudge(endpoint, rubric, Verdicts(options.judge_cache or verdicts_file()), clock)


def rubric_of(options: JudgeOptions) -> Rubric:
    """Return the rubric that options name, else that of this release.

    Raises:
        InputError: it cannot be read.
    """
    path = options.judge_rubric
    return default_rubric() if path is None else read_rubric(path)


def judge_endpoint(options: JudgeOptions) -> Endpoint:
    """Return the address that options name, and how it is asked.

    Raises:
        InputError: address or keys cannot be used.
    """
    address = AddressOptions(
        endpoint=options.judge_endpoint,
        service=options.judge_service,
        keys=options.judge_keys,
        concurrency=options.judge_in_flight,
        thinking=options.judge_thinking,
        extra_body=options.judge_extra_body,
    )
    model = (options.judge or "").strip()
    endpoint = endpoint_of(address, model, AdapterChoice(None, {}), NO_INSTRUCTION, role="judge")
    most = MOST_TOKENS if endpoint.service is Service.OPENAI else None
    return replace(
        endpoint, instruction=NO_INSTRUCTION, most_output_tokens=most, form=AskedForm.SCHEMA
    )
