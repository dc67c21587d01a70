"""Second opinions: what becomes of one, by what its reply is worth; pure."""

from __future__ import annotations

from curator.judging.judge import Judgement
from curator.ledger import OpinionChange, PairItem, RepliedPair, WorkState


def opinion_change(
    campaign_id: int,
    pair: PairItem | RepliedPair,
    state: WorkState,
    *,
    failures: int,
    reason: str = "",
    judgement: Judgement | None = None,
) -> OpinionChange:
    """Return what the ledger is to know of the second opinion on ``pair``."""
    is_told = judgement is not None and state is WorkState.DONE
    return OpinionChange(
        campaign_id,
        pair.item_id,
        pair.question,
        state,
        failures,
        reason,
        "" if judgement is None else judgement.answer,
        is_told and judgement is not None and judgement.agrees,
    )
