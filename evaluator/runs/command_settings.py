"""The settings of a command as a value that can be typed again.

The fields are the parameters of the command, by the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

from pydantic import ConfigDict

from evaluator.runs.places import shown_place
from shared.program.settings import Settings


class CommandSettings(Settings):
    """The settings of a command; each field is the option of its name, or the command's argument.

    What another release knew besides is passed over when settings are read.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=True)

    option_names: ClassVar[Mapping[str, str]] = {
        "as_json": "--json",
        "in_flight": "--concurrency",
        "judge_in_flight": "--judge-concurrency",
    }
    """Options that are not called as their fields are."""
    argument: ClassVar[str] = ""
    """The field that is typed without an option."""
    places: ClassVar[Sequence[str]] = ()
    """Fields that hold a path or URL, or may, with or without a name before it."""
    placeholders: ClassVar[Mapping[str, str]] = {}
    """What is shown for fields whose values differ from machine to machine."""

    def arguments(self) -> list[str]:
        """Return the words that the command's parser reads as these settings.

        What has to be given comes first; what has its default is left out.
        """
        options: list[str] = []
        positional: list[str] = []
        fields = type(self).model_fields.items()
        for name, field in sorted(fields, key=lambda item: not item[1].is_required()):
            value = getattr(self, name)
            if name == self.argument:
                positional = ["--", *map(str, value)]
            elif value != field.default:
                option = self.option_names.get(name, f"--{name.replace('_', '-')}")
                options += _option(option, value)
        return [*options, *positional]

    def whole(self) -> Self:
        """Return the same with whole paths, so that the folder it is typed in does not matter."""
        return self.model_copy(update=self._whole_places())

    def shown(self) -> list[str]:
        """Return the arguments as others may see them: of places the last names.

        No place that is a URL shows its query: it may hold a signature or a key. Texts, such as a
        prompt, are shown as they are: another text would make another run.
        """
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        names = {name: _shown(getattr(self, name)) for name in self.places if name in given}
        words = {name: word for name, word in self.placeholders.items() if name in given}
        return self.model_copy(update=names | words).arguments()

    def _whole_places(self) -> dict[str, object]:
        return {}


def _option(option: str, value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield option if value else f"--no-{option.removeprefix('--')}"
        return
    for item in value if isinstance(value, tuple) else (value,):
        # A value that looks like an option must not stand alone.
        yield from [f"{option}={item}"] if str(item).startswith("-") else [option, str(item)]


def _shown(value: object) -> object:
    return tuple(map(_shown, value)) if isinstance(value, tuple) else shown_place(str(value))
