"""How a campaign stands, of four keys of which one is out, one spent, one cooling and one good."""

from __future__ import annotations

from curator.forecast.forecast import Forecast
from curator.ledger import (
    Answerers,
    Campaign,
    CampaignReport,
    KeyReport,
    OpinionCounts,
    Progress,
    TokenUse,
)
from curator.status.status import Standing
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.pool.records import ModelUse, ProjectRecord
from tests.fakes.clock import NOON_IN_LOS_ANGELES

NOW = NOON_IN_LOS_ANGELES


def key(label: str, project: str, removed: str = "", today: int = 0) -> KeyReport:
    quota = Quota(rpm=10, rpd=250)
    uses = (ModelUse("gemini-3.5-flash-lite", today, quota),)
    return KeyReport(f"fp-{label}", label, project, removed, {"answered": 3}, quota, uses)


def standing(
    ends_at: float | None = NOW + 37_920, done: int = 40, model: str = "gemini-3.5-flash-lite"
):
    report = CampaignReport(
        campaign_id=1,
        campaign=Campaign((AskedModel(model),), "1-abc", 10),
        progress=Progress(pending=100 - done, done=done, dead=0),
        pairs_by_model={model: 10 * done},
        rejected={"empty": 2},
        outcomes_by_model={model: {"answered": done, "unavailable": 3, "open": 1}},
        replies={},
        opinions=OpinionCounts(),
        tokens_spent={Answerers(model, model): TokenUse(1_000_000, 200_000, 200_000)},
        keys=(
            key("old", "p1", removed="API_KEY_INVALID"),
            key("spent", "p2", today=250),
            key("cooling", "p3", today=9),
            key("good", "p4", today=12),
        ),
        blocked=(ProjectRecord("p3", "gemini-3.5-flash-lite", NOW + 60, Window.MINUTE),),
        dead_letters=(),
        given_up={},
        finished_recently=150,
        recent_s=300.0,
    )
    return Standing(report, Forecast(ends_at), None, {"unavailable": "503: [red]overloaded[/red]"})
