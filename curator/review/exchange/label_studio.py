"""Label Studio's files: a labelling configuration, tasks with predictions, and its JSON export.

The validators of label-studio-sdk 2.1.2 (November 2026) take what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from curator.ledger.records.review import Decision
from curator.review.exchange.tasks import Answer, Origin, Returned, Task

CONFIGURATION: Final = """<View>
  <Image name="image" value="$image" zoom="true"/>
  <Header value="$question"/>
  <Text name="answer" value="$answer"/>
  <Header value="Second opinion" size="5"/>
  <Text name="second_answer" value="$second_answer"/>
  <Header value="Listing" size="5"/>
  <Text name="listing" value="$listing"/>
  <Choices name="decision" toName="image" choice="single" required="true" showInLine="true">
    <Choice value="accepted" hotkey="a"/>
    <Choice value="corrected" hotkey="c"/>
    <Choice value="rejected" hotkey="r"/>
  </Choices>
  <TextArea name="correction" toName="image" maxSubmissions="1" editable="true"
    placeholder="The right answer"
    visibleWhen="choice-selected" whenTagName="decision" whenChoiceValue="corrected"/>
  <TextArea name="reason" toName="image" maxSubmissions="1" editable="true" placeholder="Why"
    visibleWhen="choice-selected" whenTagName="decision" whenChoiceValue="rejected"/>
</View>
"""


def task_object(task: Task) -> dict[str, Any]:
    """Return a task as Label Studio imports it, with what machines say as its prediction."""
    pair = task.pair
    return {
        "data": {
            "image": task.picture,
            "question": pair.question,
            "answer": pair.answer,
            "second_answer": pair.second_answer or "none",
            "listing": "; ".join(f"{name}: {text}" for name, text in pair.metadata.items()) or "-",
            "curator": Origin.of(task).model_dump(),
        },
        "predictions": [_prediction(task)],
    }


def _prediction(task: Task) -> dict[str, Any]:
    decision, correction = task.proposal
    results = [_result("decision", "choices", [decision.value])]
    if correction:
        results.append(_result("correction", "text", [correction]))
    return {"model_version": task.pair.model or "unknown", "result": results}


def _result(name: str, kind: str, values: Sequence[str]) -> dict[str, Any]:
    shown = "textarea" if kind == "text" else kind
    return {"from_name": name, "to_name": "image", "type": shown, "value": {kind: list(values)}}


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Data(_Loose):
    question: str
    answer: str
    curator: Origin


class _Value(_Loose):
    choices: list[str] = []
    text: list[str] | str = []


class _Result(_Loose):
    from_name: str = ""
    value: _Value = _Value()


class _Annotation(_Loose):
    completed_by: int | str | dict[str, Any] | None = None
    was_cancelled: bool = False
    created_at: datetime | None = None
    result: list[_Result] = []


class LabelStudioTask(_Loose):
    """A task as Label Studio's JSON export has it."""

    data: _Data
    annotations: list[_Annotation] = Field(default=[])

    def returned(self) -> Returned:
        """Return it in our words."""
        answers = (_answer(annotation) for annotation in self.annotations)
        return Returned(
            self.data.curator,
            self.data.question,
            self.data.answer,
            tuple(answer for answer in answers if answer is not None),
        )


def _answer(annotation: _Annotation) -> Answer | None:
    reviewer = f"label-studio {_person(annotation.completed_by)}"
    at = None if annotation.created_at is None else annotation.created_at.timestamp()
    if annotation.was_cancelled:
        return Answer(reviewer, Decision.SKIPPED, at=at)
    said: dict[str, str] = {}
    for result in annotation.result:
        text = result.value.text
        texts = [text] if isinstance(text, str) else text
        said[result.from_name] = " ".join([*result.value.choices, *texts])
    if said.get("decision") not in {"accepted", "corrected", "rejected"}:
        return None
    decision = Decision(said["decision"])
    return Answer(reviewer, decision, said.get("correction", ""), said.get("reason", ""), at)


def _person(completed_by: int | str | Mapping[str, Any] | None) -> str:
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by.get("id") or "unknown")
    return "unknown" if completed_by is None else str(completed_by)
