"""What a user may change about the questions of a run: names with strengths, as one types them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Final

from evaluator.robustness.pictures import PICTURE_CHANGES
from evaluator.robustness.rephrasing import rephrased, rules_digest
from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.records import Question

REPHRASED: Final = "rephrased"
ALL: Final = "all"
NAMES: Final = (*PICTURE_CHANGES, REPHRASED)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of all questions: ``view`` for pictures, empty where the question changes."""

    name: str
    view: str = ""

    def __str__(self) -> str:
        """Return it as one types it, with its strength."""
        return self.view or self.name

    @property
    def moves(self) -> bool:
        """Whether boxes no longer say where things are."""
        return bool(self.view) and PICTURE_CHANGES[self.name].moves

    @property
    def signature(self) -> str:
        """Return what a figure under the change depends on besides the questions."""
        if not self.view:
            return f"the question in other words, by rules #{rules_digest()}"
        _, _, strength = self.view.partition("=")
        words = PICTURE_CHANGES[self.name].definition.format(float(strength))
        return f"{words}|Pillow {version('pillow')}"

    def of(self, question: Question) -> Question | None:
        """Return the question as it is asked under the change; ``None`` where no rule fits it."""
        if self.view:
            return replace(question, view=self.view)
        text = rephrased(question.text)
        return None if text is None else replace(question, text=text)


def parse_changes(text: str) -> tuple[Change, ...]:
    """Return the changes of a list with commas, in its order, each once.

    Raises:
        InputError: the list is empty, or holds an unknown name or an impossible strength.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not words:
        raise InputError(f"--robustness: names no change; give some of {', '.join(NAMES)}, or all")
    changes: list[Change] = []
    for word in words:
        changes += [_change(name) for name in NAMES] if word == ALL else [_change(word)]
    return tuple(dict.fromkeys(changes))


def _change(word: str) -> Change:
    name, equals, strength = word.partition("=")
    if name == REPHRASED and not equals:
        return Change(REPHRASED)
    if name == REPHRASED:
        raise InputError(f"--robustness {word}: takes no strength; give {REPHRASED}")
    if name not in PICTURE_CHANGES:
        near = nearest(name, (*NAMES, ALL))
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"--robustness {word!r}: {hint}give some of {', '.join(NAMES)}, or all")
    kind = PICTURE_CHANGES[name]
    value = _number(strength) if equals else kind.usual
    # Not a turn at all, or a whole one.
    if value is None or not kind.least <= value <= kind.most or value == 0:
        raise InputError(
            f"--robustness {word}: give a strength from {kind.least:g} to {kind.most:g}, such as "
            f"{name}={kind.usual:g}"
        )
    return Change(name, f"{name}={value:g}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
