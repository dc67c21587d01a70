"""Argilla's files: the folder that ``rg.Dataset.from_disk`` reads and ``to_disk`` writes.

The classes of argilla 2.8.0 (November 2026) take what is written here.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from curator.ledger.records.review import Decision
from curator.review.exchange.tasks import Answer, Origin, Returned, Task

RECORDS: Final = "records.json"
SETTINGS: Final = ".argilla/settings.json"
DATASET: Final = ".argilla/dataset.json"
_DECISIONS: Final = ("accepted", "corrected", "rejected")
_GUIDELINES: Final = (
    "Accept: the answer is right. Correct: the question is good, and another answer is the right "
    "one; write it down. Reject: there is no right answer, or you do not know it; say why."
)


def settings_object() -> dict[str, Any]:
    """Return the settings of the data set: its fields, its questions, and what it tells people."""
    text = {"type": "text", "use_markdown": False}
    options = [{"text": decision, "value": decision} for decision in _DECISIONS]
    choice = {"type": "label_selection", "options": options, "visible_options": len(options)}
    image = {"type": "image"}
    return {
        "guidelines": _GUIDELINES,
        "fields": [
            _part("image", image, required=False),
            _part("question", text, required=True),
            _part("answer", text, required=True),
            _part("second_answer", text, required=False),
            _part("listing", text, required=False),
        ],
        "questions": [
            _part("decision", choice, required=True),
            _part("correction", text, required=False),
            _part("reason", text, required=False),
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def _part(name: str, settings: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.replace("_", " "),
        "description": None,
        "required": required,
        "settings": settings,
        "type": settings["type"],
    }


def record_object(task: Task) -> dict[str, Any]:
    """Return a record, with what machines say as its suggestions."""
    pair = task.pair
    decision, correction = task.proposal
    agent = pair.model or "unknown"
    fields = {
        "image": task.picture,
        "question": pair.question,
        "answer": pair.answer,
        "second_answer": pair.second_answer,
        "listing": "; ".join(f"{name}: {text}" for name, text in pair.metadata.items()),
    }
    suggestions = {"decision": {"value": decision.value, "score": None, "agent": agent}}
    if correction:
        suggestions["correction"] = {"value": correction, "score": None, "agent": agent}
    return {
        "id": f"{pair.campaign_id}.{pair.place.item_id}.{pair.place.number}",
        "fields": {name: text for name, text in fields.items() if text},
        "metadata": Origin.of(task).model_dump(),
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
    }


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Fields(_Loose):
    question: str
    answer: str


class _Response(_Loose):
    value: Any = None
    user_id: str = "unknown"
    status: str | None = None


class ArgillaRecord(_Loose):
    """A record as Argilla writes it."""

    fields: _Fields
    metadata: Origin
    responses: dict[str, list[_Response]] = {}

    def returned(self) -> Returned:
        """Return it in our words; what is a draft is no answer."""
        said: dict[str, dict[str, str]] = {}
        discarded: set[str] = set()
        for question, responses in self.responses.items():
            for response in responses:
                if response.status == "discarded":
                    discarded.add(response.user_id)
                elif response.status != "draft" and isinstance(response.value, str):
                    said.setdefault(response.user_id, {})[question] = response.value
        answers = [Answer(f"argilla {user}", Decision.SKIPPED) for user in sorted(discarded)]
        answers += [
            Answer(
                f"argilla {user}",
                Decision(texts["decision"]),
                texts.get("correction", ""),
                texts.get("reason", ""),
            )
            for user, texts in sorted(said.items())
            if texts.get("decision") in _DECISIONS and user not in discarded
        ]
        return Returned(self.metadata, self.fields.question, self.fields.answer, tuple(answers))
