"""A plan for a terminal; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.program.durations import duration, local_time


def plan_view(plan: Mapping[str, Any]) -> RenderableType:
    """Return the object of ``plan_object`` for a terminal."""
    keys = Table("key", "project", *columns(), title="by key", title_justify="left")
    for key in plan["keys"]:
        keys.add_row(Text(key["label"]), Text(key["project"]), *cells(key))
    keys.add_row(Text("all", style="bold"), "", *cells(plan["total"]))
    days = Table("days (Pacific)", "", *columns(), title="each day", title_justify="left")
    for span in plan["days"]:
        last = "" if span["days"] == 1 else f" to {span['last']}"
        days.add_row(f"{span['first']}{last}", f"{span['days']} d", *cells(span["each_day"]))
    models = Table("model", *columns(), title="by model", title_justify="left")
    for model in plan["models"]:
        models.add_row(Text(model["model"]), *cells(model))
    left_out = [
        Text(f"Left out: {entry['count']:,} {entry['reason']} (first: {entry['first']})")
        for entry in plan["left_out"]
    ]
    images, along = plan["images"], plan.get("along", 0)
    opinions, canaries = plan["second_opinions"], plan["canaries"]
    again = f" and {opinions:,} second opinions" if opinions else ""
    again += f", {canaries:,} canaries" if canaries else ""
    return Group(
        Text(
            f"{images:,} image{'' if images == 1 else 's'}{again}: "
            f"{duration(plan['duration_s'])}, until {local_time(plan['ends_at'])}",
            style="bold",
        ),
        *([Text(f"{along:,} further images go along in these requests")] if along else []),
        *left_out,
        keys,
        *([models] if len(plan["models"]) > 1 else []),
        days,
        *_assumed(plan["assumptions"]),
    )


def _assumed(assumed: Mapping[str, Any]) -> list[Text]:
    several = len(assumed["prices"]) > 1
    lines = []
    for model, price in assumed["prices"].items():
        money = "no price known for this model; give --price-in and --price-out"
        if price:
            usd = f"{price['input_usd']:g} and {price['output_usd']:g} $"
            money = f"{usd} a million tokens in and out"
        lines.append(
            f"Assumed{f' for {model}' if several else ''}: {assumed['input_tokens'][model]} tokens "
            f"in and {assumed['output_tokens'][model]} out a request, "
            f"{assumed['latency_s']:g} s each, {assumed['concurrency']} at a time; {money}; "
            "free keys pay nothing."
        )
    return list(map(Text, lines))


def columns() -> tuple[str, ...]:
    """Return the heads of the columns of ``cells``."""
    return ("requests", "tokens in", "tokens out", "$")


def cells(cost: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what ``cost_object`` tells, for a table; a question mark for what is not known."""
    money = "?" if cost["usd"] is None else f"{cost['usd']:,.2f}"
    counts = (cost[name] for name in ("requests", "input_tokens", "output_tokens"))
    return (*("?" if count is None else f"{count:,}" for count in counts), money)
