"""What tells the campaigns of a ledger apart, in words: only what differs; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curator.ledger import Campaign


def told_apart(campaigns: Sequence[Campaign]) -> list[str]:
    """Return for each campaign what it has otherwise than others, its prompt's version at least."""
    features = [_features(campaign) for campaign in campaigns]
    names = dict.fromkeys(name for each in features for name in each)
    differing = [name for name in names if len({each.get(name) for each in features}) > 1]
    return [
        ", ".join(
            [
                f"{campaign.questions} questions",
                f"prompt {campaign.prompt_version}",
                *(each[name] for name in differing if each.get(name)),
            ]
        )
        for campaign, each in zip(campaigns, features, strict=True)
    ]


def _features(campaign: Campaign) -> dict[str, str]:
    """Return what may differ, in words by name; empty for what a campaign has not."""
    features: dict[str, str] = {}
    if not campaign.prompts:
        return features
    parts = campaign.prompts
    return features | {
        "files": " and ".join(_named(part, alone=len(parts) == 1) for part in parts),
        "answer_words": _joined(_answers(part["answer_words"]) for part in parts),
        "views": _joined(_views(part.get("views", 1)) for part in parts),
        "language": _joined(f"in {_language(part)}" for part in parts),
        "styles": _joined(_listed("styles", part["styles"]) for part in parts),
        "fields": _joined(_listed("fields", part["fields"]) for part in parts),
        "rules": _joined(_without_rules(part["rules"]) for part in parts),
        "examples": _joined(
            f"{len(part['examples'])} examples" if part["examples"] else "" for part in parts
        ),
    }


def _named(part: Mapping[str, Any], *, alone: bool) -> str:
    return f"from {part['name']}" if alone else f"{part['share']:.0%} from {part['name']}"


def _language(part: Mapping[str, Any]) -> str:
    language = part["language"]
    return str(language if isinstance(language, str) else language["name"])


def _answers(words: int) -> str:
    return "answers of one word" if words == 1 else f"answers of {words} words at most"


def _views(count: int) -> str:
    return "" if count == 1 else f"up to {count} pictures a request"


def _listed(word: str, names: Mapping[str, Any]) -> str:
    return f"{word} {', '.join(names)}" if names else ""


def _without_rules(rules: Mapping[str, Any]) -> str:
    off = [name for name, applies in rules.items() if applies is False]
    return f"without the rules {', '.join(off)}" if off else ""


def _joined(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(word for word in words if word))
