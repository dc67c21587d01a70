"""The reference of files: the tables, keys and columns that the code reads and writes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curator.judging.agreeing.listing_map import ListingMap
from curator.prompts.prompt_file import PromptFile
from curator.rehearsal.script import RehearsalScript
from docs.site.reference.markdown import code, plain, table, with_code
from evaluator.runs.record import EvaluationRecord
from evaluator.scoring.scorecard import Scorecard
from shared.corpus import PAIR_SCHEMA
from shared.endpoints.keys import keyfile
from shared.endpoints.models.users_file import ModelsFile
from shared.records.records import COLUMN_ALIASES, QAPair
from trainer.pretraining.recipe import PretrainRecipe
from trainer.recipe.recipe import FitRecipe

TABLES: Final[tuple[tuple[str, str, type[BaseModel]], ...]] = (
    ("Keys", "`--keys FILE`: see [the tour](../tour.md).", keyfile._KeysFile),  # noqa: SLF001
    ("Prompt", "`--prompt FILE`: see [prompts](../prompts.md).", PromptFile),
    ("Agreement", "`--agreement FILE`, as `curator agreement` prints it.", ListingMap),
    ("Rehearsal", "`curator rehearse --script FILE`: see [rehearsal](../rehearsal.md).",
     RehearsalScript),
    ("Models", "`--models FILE`, laid over the catalogue of the release.", ModelsFile),
    ("Recipe", "`trainer fit RECIPE` and `trainer sweep RECIPE`.", FitRecipe),
    ("Pretraining recipe", "`trainer pretrain RECIPE`.", PretrainRecipe),
    ("Run record", "`run.json` in a run folder: what made it.", EvaluationRecord),
)  # fmt: skip
"""Files that are read into tables; all but the last are TOML."""
HEAD: Final = """\
# Files

Every file that is read or written by form, from the code that does it. A campaign file has each
option of [`curator run`](curator.md#curator-run) by its name, with underscores.

## Data

The columns of `qa.parquet`, and the names that other data sets give them, which are read as well:
see [data](../data.md).

"""
SCORECARD: Final = """\
## Scorecard

`scorecard.json` in a run folder: see [how to read it](../scorecard.md).

"""


def files_page() -> str:
    """Return the page of files."""
    parts = [
        "# Files\n\nEvery file that is written or read by form, from the code that does it.\n\n"
    ]
    parts += _data()
    for title, says, model in TABLES:
        parts.append(f"## {title}\n\n{says}\n\n")
        parts += _tables(model, title)
    parts += _scorecard()
    return "".join(parts)


def _data() -> Iterator[str]:
    rows = (
        (code(field.name), plain(str(field.type)), _aliases(field.name)) for field in PAIR_SCHEMA
    )
    yield table(["column", "type", "also read as"], rows)
    for paragraph in (inspect.getdoc(QAPair) or "").split("\n\n"):
        yield f"{with_code(paragraph)}\n\n"
    others = [name for name in COLUMN_ALIASES if name not in PAIR_SCHEMA.names]
    yield "Besides, files of predictions and of other projects may have these:\n\n"
    yield table(["column", "also read as"], ((code(name), _aliases(name)) for name in others))


def _aliases(name: str) -> str:
    return ", ".join(code(each) for each in COLUMN_ALIASES.get(name, ()) if each != name)


def _tables(model: type[BaseModel], title: str) -> Iterator[str]:
    """Yield the table of a model's keys, and of the tables within, each once."""
    waiting, seen = [(model, "")], set()
    while waiting:
        each, path = waiting.pop(0)
        if each in seen:
            continue
        seen.add(each)
        if path:
            yield f"### {title}: `{path}` {{#{_anchor(title, path)}}}\n\n"
        if says := each.__doc__:
            yield f"{with_code(says.partition('Attributes:')[0])}\n\n"
        rows = []
        for name, field in each.model_fields.items():
            rows.append(_key(name, field))
            inner = f"{path}.{name}" if path else name
            waiting += [(found, inner) for found in _models_in(field.annotation)]
        yield table(["key", "type", "default", ""], rows)


def _anchor(title: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{title} {path}".lower())


def _key(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    bounds = [_bound(each) for each in field.metadata]
    kind = ", ".join([_type(field.annotation), *filter(None, bounds)])
    says = field.description or ""
    return code(name), kind, _default(field), with_code(says)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ((), {}, [], ""):
        return ""
    return code(_shown(value))


def _shown(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _bound(constraint: object) -> str:
    told = [
        f"{word} {getattr(constraint, name):g}"
        for name, word in _BOUNDS.items()
        if isinstance(getattr(constraint, name, None), int | float)
    ]
    return ", ".join(told)


def _type(annotation: Any) -> str:  # noqa: ANN401
    """Return a type in the words of TOML."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [_bound(each) for each in inner[1:]]
        return ", ".join([_type(inner[0]), *filter(None, bounds)])
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_type(each) for each in inner if each is not NoneType))
    if origin is Literal:
        return " or ".join(code(str(each)) for each in inner)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(code(str(each.value)) for each in annotation)
    if origin is not None:
        named = isinstance(origin, type) and hasattr(origin, "keys")
        return f"{'table' if named else 'list'} of {_type(inner[-1 if named else 0])}"
    return _PLAIN.get(getattr(annotation, "__name__", ""), "table")


_PLAIN: Final = {
    "str": "text", "int": "integer", "float": "number", "bool": "true or false", "Path": "path",
    "date": "date", "datetime": "time", "NoneType": "", "Any": "anything",
}  # fmt: skip


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models_in(each)


def _scorecard() -> Iterator[str]:
    yield SCORECARD
    waiting: list[type] = [Scorecard]
    seen: set[type] = set()
    while waiting:
        each = waiting.pop(0)
        if each in seen:
            continue
        seen.add(each)
        hints = get_type_hints(each)
        name = "" if each is Scorecard else f"### {each.__name__}\n\n"
        yield f"{name}{with_code(inspect.getdoc(each) or '')}\n\n"
        rows = ((code(field.name), _python_type(hints[field.name])) for field in fields(each))
        yield table(["key", "type"], rows)
        waiting += [found for hint in hints.values() for found in _dataclasses_in(hint)]


def _python_type(hint: Any) -> str:  # noqa: ANN401
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    return code(re.sub(r"\b(?:[a-z_]+\.)+", "", text))


def _dataclasses_in(hint: Any) -> Iterator[type]:  # noqa: ANN401
    if isinstance(hint, type) and is_dataclass(hint):
        yield hint
    for each in get_args(hint):
        yield from _dataclasses_in(each)
