"""What a judge would be asked and cost, told before anybody is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluator.judging.asking import request_for
from evaluator.judging.given import judge_endpoint, rubric_of
from evaluator.judging.options import JudgeOptions
from evaluator.metrics.text_models.judging import Case
from shared.endpoints.models.known import packaged_models
from shared.endpoints.token_estimates import OPINION_TOKENS, TokenEstimates
from shared.records import QAPair


def judge_lines(options: JudgeOptions, pairs: Sequence[QAPair]) -> Iterator[str]:
    """Yield what judging an answer to each pair takes, in lines, at most.

    Raises:
        InputError: the judge cannot be used.
    """
    endpoint, rubric = judge_endpoint(options), rubric_of(options)
    model = endpoint.known[endpoint.model]
    estimates = TokenEstimates(packaged_models().tile, of_models=endpoint.settings_of_models)
    tokens_in = sum(
        estimates.input_tokens(
            model,
            request_for(
                # An answer is about as long as its reference.
                Case(pair.question, pair.references, pair.answer),
                rubric,
                temperature=None,
                most_output_tokens=None,
            ).measure,
        )
        for pair in pairs
    )
    tokens_out = OPINION_TOKENS * len(pairs)
    price = endpoint.price_of(endpoint.model)
    money = (
        "money unknown"
        if price is None
        else f"{price.of(tokens_in, tokens_out):.2f} US dollars, thinking not counted"
    )
    yield (
        f"judged by {endpoint.model} at {endpoint.address}: at most {len(pairs):,} verdicts, fewer "
        f"where answers repeat or were judged before; about {tokens_in:,} tokens in and "
        f"{tokens_out:,} out; {money}"
    )
