from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest

from shared.value_class import value_class


@value_class
class Told:
    name: str
    secret: str = field(default="", repr=False)
    notes: Mapping[str, int] = field(default_factory=dict, hash=False)
    seen: int = field(default=0, compare=False)

    @property
    def length(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    secret: str = field(default="", repr=False)
    notes: Mapping[str, int] = field(default_factory=dict, hash=False)
    seen: int = field(default=0, compare=False)


@value_class
class Longer(Told):
    more: int = 0


@value_class
class Own:
    text: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.text.lower() == other.text.lower()

    def __hash__(self) -> int:
        return hash(self.text.lower())

    def __repr__(self) -> str:
        return f"<{self.text}>"


@value_class
class Nothing:
    """It has no field."""


SOME: list[tuple[Any, ...]] = [
    ("a",),
    ("b",),
    ("a", "s"),
    ("a", "s", {"x": 1}),
    ("a", "s", {"x": 1}, 2),
    ("a", "s", {}, 3),
]


def test_values_compare_hash_and_print_as_frozen_dataclasses_do() -> None:
    for one in SOME:
        ours, theirs = Told(*one), Frozen(*one)
        assert repr(ours) == repr(theirs).replace("Frozen", "Told")
        assert hash(ours) == hash(theirs)
        assert asdict(ours) == asdict(theirs)
        for other in SOME:
            assert (ours == Told(*other)) == (theirs == Frozen(*other))


def test_a_field_that_is_not_shown_is_not_printed() -> None:
    assert "hidden" not in repr(Told("a", "hidden"))


def test_values_of_two_classes_differ() -> None:
    assert Told("a") != Longer("a")
    assert Longer("a", more=1) != Longer("a", more=2)
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(())


def test_what_a_class_says_itself_stays() -> None:
    assert Own("A") == Own("a")
    assert len({Own("A"), Own("a")}) == 1
    assert repr(Own("A")) == "<A>"


def test_values_are_replaced_copied_and_pickled() -> None:
    value = Told("abc", "s", {"x": 1})
    assert value.length == 3
    assert replace(value, name="d") == Told("d", "s", {"x": 1})
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value
    match value:
        case Told(name, secret):
            assert (name, secret) == ("abc", "s")


def test_a_value_has_no_other_fields_than_those_declared() -> None:
    with pytest.raises(AttributeError):
        Told("a").other = 1  # type: ignore[attr-defined]


def test_type_checkers_are_told_that_no_field_is_assigned_to() -> None:
    told = value_class.__dataclass_transform__  # type: ignore[attr-defined]
    # Python 3.11 has it among what further arguments there were.
    assert (told | told["kwargs"])["frozen_default"]
