"""Second opinions: whether two answers to a question are the same; pure."""

from __future__ import annotations

from curator.ledger import OpinionChange, PairItem, RepliedPair, WorkState
from shared.questions.answers import exact_match


def opinion_change(
    campaign_id: int,
    pair: PairItem | RepliedPair,
    state: WorkState,
    *,
    failures: int,
    reason: str = "",
    answer: str = "",
) -> OpinionChange:
    """Return what the ledger is to know of the second opinion on ``pair``."""
    agrees = state is WorkState.DONE and exact_match(answer, pair.answer)
    return OpinionChange(
        campaign_id, pair.item_id, pair.question, state, failures, reason, answer, agrees
    )
