"""Files of answers as the servers of benchmarks take them in.

Their forms are those of visualqa.org/evaluation.html, vizwiz.org/tasks-and-datasets/vqa,
textvqa.org/challenge, rrc.cvc.uab.es/?ch=17 and GQA's eval.py, as of 2026-11.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from evaluator.runs.predicting.benchmarks import Submission
from shared.corpus import QuestionTable, write_json
from shared.errors import InputError


@dataclass(frozen=True)
class _Form:
    """What a row calls the question, or the image, and the answer; GQA's ids are texts."""

    asked: str
    answered: str
    by_image: bool = False
    ids_are_numbers: bool = True


_FORMS: Final = {
    Submission.VQA_V2: _Form("question_id", "answer"),
    Submission.TEXTVQA: _Form("question_id", "answer"),
    Submission.DOCVQA: _Form("questionId", "answer"),
    Submission.GQA: _Form("questionId", "prediction", ids_are_numbers=False),
    Submission.VIZWIZ: _Form("image", "answer", by_image=True),
}


def asked_for(submission: Submission, table: QuestionTable, source: Path) -> list[str | int]:
    """Return what each row of a file of questions is called in a submission.

    Raises:
        InputError: a row has no name of its own.
    """
    form = _FORMS[submission]
    if form.by_image:
        names = [PurePosixPath(question.filename).name for question in table.questions]
    else:
        names = list(table.ids)
    what = "image" if form.by_image else "question id"
    if not all(names):
        raise InputError(
            f"--submission {submission}: {source}: a row has no {what}; name their column with "
            "--columns id=NAME, or leave --submission out"
        )
    as_numbers = form.ids_are_numbers and not form.by_image and all(map(str.isdecimal, names))
    asked: list[str | int] = [int(name) for name in names] if as_numbers else list(names)
    name, times = Counter(asked).most_common(1)[0]
    if times > 1:
        raise InputError(
            f"--submission {submission}: {source}: {what} {name} stands in {times} rows, and a "
            "server takes one answer to each"
        )
    return asked


def write_submission(
    submission: Submission, asked: Sequence[str | int], answers: Sequence[str], out: Path
) -> None:
    """Write the answers to what ``asked_for`` gave, in the same order, whole or not at all."""
    form = _FORMS[submission]
    rows = [
        {form.asked: name, form.answered: answer}
        for name, answer in zip(asked, answers, strict=True)
    ]
    write_json(rows, out)
