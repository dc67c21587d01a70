"""The evaluator from Python: what the commands of the same names do, with values in and out.

    from evaluator import compare, evaluate, report, score

    base = evaluate("dataset", "blip-vqa-tiny", "runs/base")
    mine = evaluate("dataset", "blip-vqa-tiny", "runs/mine", adapter="adapter")
    compare(base.folder, mine.folder)
    report(base.folder, mine.folder, out="report.html")

In a notebook each result shows as a table. Bad input raises ``shared.errors.InputError``, a run
that stopped in good order ``StoppedForNow``; both are ``AboVqaError``.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from evaluator.comparing.control_tables import control_tables
from evaluator.comparing.differences import sentences
from evaluator.comparing.several import SeveralRuns, compare_all, several_sentences
from evaluator.comparing.tables import (
    comparison_table,
    detail_table,
    difference_table,
    several_table,
)
from evaluator.metrics.choice import parse_metrics
from evaluator.reporting.page import write_report
from evaluator.runs.command_settings import CommandSettings
from evaluator.runs.folder import read_runs
from evaluator.runs.score_files import ScoredFile, score_files, write_run_folders
from evaluator.runs.settings import RunSettings, ScoreSettings
from evaluator.scoring.scorecard import Scorecard
from shared.errors import InputError
from shared.program.clock import SystemClock
from shared.program.command_line.as_called import in_its_words, stopped_by_interrupts
from shared.program.command_line.nearest import nearest
from shared.program.reporting.notebook import html_of
from shared.program.settings import validated

Place = str | PathLike[str]
"""A path; a URL too where the command takes one."""
_CALLED: Final = {"concurrency": "concurrency", "judge_concurrency": "judge_in_flight"}
"""Options that are not called as the fields of their settings are."""
AnySettings = TypeVar("AnySettings", bound=CommandSettings)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A finished run: its folder, which ``compare`` and ``report`` take, and its scorecard."""

    folder: Path
    scorecard: Scorecard = field(repr=False)

    def _repr_html_(self) -> str:
        name = self.folder.name
        return html_of(detail_table(name, self.scorecard), *control_tables(self.scorecard))


@dataclass(frozen=True, slots=True)
class Scored:
    """Scored files, by name."""

    files: Mapping[str, ScoredFile] = field(repr=False)

    def __repr__(self) -> str:
        """Return the names of the files, without their rows, as notebooks keep it."""
        return f"Scored({', '.join(self.files)})"

    @property
    def scorecards(self) -> dict[str, Scorecard]:
        """Return the scorecard of each file."""
        return {name: file.scorecard for name, file in self.files.items()}

    def _repr_html_(self) -> str:
        cards = self.scorecards
        tables = [detail_table(name, card) for name, card in cards.items()]
        return html_of(*tables, *([comparison_table(cards)] if len(cards) > 1 else []))


@dataclass(frozen=True, slots=True)
class Compared:
    """All pairs of several runs, and in ``says`` what they come to, a sentence each."""

    runs: SeveralRuns

    def __repr__(self) -> str:
        """Return what it says, without all rows, as notebooks keep it."""
        return f"Compared({' '.join(self.says)})"

    @property
    def says(self) -> list[str]:
        """Return in sentences which run is better, by how much, and how sure that is."""
        comparisons = self.runs.comparisons
        if len(comparisons) > 1:
            return list(several_sentences(self.runs))
        return list(sentences(comparisons[0]))

    def _repr_html_(self) -> str:
        comparisons = self.runs.comparisons
        only = len(comparisons) == 1
        table = difference_table(comparisons[0]) if only else several_table(self.runs)
        said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.says)
        return html_of(table) + said


@in_its_words("evaluator run", RunSettings, **_CALLED)
@stopped_by_interrupts
def evaluate(
    data: Place,
    model: str,
    out: Place,
    *,
    adapter: Place | Mapping[str, Place] | None = None,
    metrics: Sequence[str] | None = None,
    columns: Mapping[str, str] | str | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of RunSettings, each checked
) -> Evaluated:
    """Answer a data set's questions with replicas of a model, and score the answers.

    Args:
        data: a data set folder, or a file of pairs; a path or a URL.
        model: a folder, a hub id or ``blip-vqa-tiny``; with ``endpoint``, its name there.
        out: the run folder; an unfinished one is resumed.
        adapter: a PEFT adapter's folder, or several by name, each for the questions of its domain.
        metrics: their names; by default those of the AIM825 report.
        columns: columns whose names cannot be guessed, by the field that they hold.
        **settings: the other options of ``evaluator run``, with underscores: ``limit=100``,
            ``images="abo/images/small"``, ``replicas=2``, ``endpoint="http://..."``.

    Raises:
        InputError: something that was given cannot be used; nothing was begun.
        StoppedForNow: it was interrupted; the same call goes on.
    """
    if "concurrency" in settings:
        # What run folders call it, which keep the settings by their fields.
        settings["in_flight"] = settings.pop("concurrency")
    given = settings | {"data": fspath(data), "model": model, "out": Path(out)}
    named = given | {"adapter": _adapters(adapter), **_texts(metrics, columns)}
    read = _read(RunSettings, named, "evaluate").with_model()
    # Ray and torch take seconds to import.
    from evaluator.runs.wiring import run_evaluation  # noqa: PLC0415

    return Evaluated(read.out, run_evaluation(read, SystemClock()))


@in_its_words("evaluator score", ScoreSettings, **_CALLED)
def score(
    *predictions: Place,
    metrics: Sequence[str] | None = None,
    columns: Mapping[str, str] | str | None = None,
    **settings: Any,  # noqa: ANN401 - the fields of ScoreSettings, each checked
) -> Scored:
    """Score files of predictions that anyone made; no model is needed.

    Args:
        *predictions: the files; paths or URLs.
        metrics: their names; by default those that the files have what it takes for.
        columns: columns whose names cannot be guessed, by the field that they hold.
        **settings: the other options of ``evaluator score``, with underscores. With ``out``, run
            folders are written there.

    Raises:
        InputError: a file or a setting cannot be used.
    """
    if not predictions:
        raise InputError("score: give a file of predictions or more")
    given = settings | {"predictions": tuple(fspath(place) for place in predictions)}
    read = _read(ScoreSettings, given | _texts(metrics, columns), "score")
    scored = score_files(read, SystemClock())
    if read.out is not None:
        write_run_folders(scored, read.out, read, SystemClock().now())
    return Scored(scored)


@in_its_words("evaluator compare")
def compare(*runs: Place, metrics: Sequence[str] | None = None) -> Compared:
    """Say which of several runs is better, by how much, and how sure that is.

    Args:
        *runs: two run folders or more on the same data.
        metrics: their names; by default all that the runs have.

    Raises:
        InputError: fewer than two runs, or some that cannot be compared.
    """
    if len(runs) < 2:  # noqa: PLR2004
        raise InputError("compare: give two run folders or more; `report` shows one")
    chosen = None if metrics is None else parse_metrics(_with_commas(metrics))
    return Compared(compare_all(read_runs([Path(run) for run in runs]), chosen))


@in_its_words("evaluator report")
def report(*runs: Place, out: Place = "report.html", images: Place | None = None) -> Path:
    """Write one self-contained HTML page about one or several runs; return its path.

    Args:
        *runs: run folders, the first is the base.
        out: the page.
        images: folder or URL of the pictures, where they are not where the runs say.

    Raises:
        InputError: a run cannot be read, or the page not be written.
    """
    if not runs:
        raise InputError("report: give a run folder or more")
    page = Path(out)
    pictures = None if images is None else fspath(images)
    write_report(read_runs([Path(run) for run in runs]), page, images=pictures, with_rest=True)
    return page


def _adapters(adapter: Place | Mapping[str, Place] | None) -> tuple[str, ...]:
    if adapter is None:
        return ()
    if isinstance(adapter, Mapping):
        return tuple(f"{name}={fspath(folder)}" for name, folder in adapter.items())
    return (fspath(adapter),)


def _texts(
    metrics: Sequence[str] | None, columns: Mapping[str, str] | str | None
) -> dict[str, str | None]:
    """Return both as one types them."""
    return {
        "metrics": None if metrics is None else _with_commas(metrics),
        "columns": ",".join(f"{field}={column}" for field, column in columns.items())
        if isinstance(columns, Mapping)
        else columns,
    }


def _with_commas(metrics: Sequence[str]) -> str:
    """Return names as one types them; a text is a sequence of letters, but meant as typed."""
    return metrics if isinstance(metrics, str) else ",".join(metrics)


def _read(model: type[AnySettings], values: Mapping[str, Any], caller: str) -> AnySettings:
    """Return the settings; a command passes over names that it does not know, a call must not."""
    for name in values:
        if name not in model.model_fields or name == "as_json":
            near = nearest(name, model.model_fields)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{caller}: has no setting {name!r}{hint}")
    return validated(
        model, {name: _typed(model, name, values[name]) for name in values}, source=caller
    )


def _typed(model: type[AnySettings], name: str, value: object) -> object:
    """Return a path as the text that one types, where a URL may be given as well."""
    kind = model.model_fields[name].annotation
    return (
        fspath(value) if isinstance(value, PathLike) and str in (kind, *get_args(kind)) else value
    )
