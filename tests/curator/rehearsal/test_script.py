"""A script says what it means, or is refused with the way out."""

from __future__ import annotations

import random
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from curator.rehearsal.batches.mishaps import (
    DownloadMishap,
    JobMishap,
    LookMishap,
    RowMishap,
    UploadMishap,
)
from curator.rehearsal.faults import Fault, FaultPlan, FaultRule
from curator.rehearsal.key_ring import RehearsedKeyState
from curator.rehearsal.script import RehearsalScript, read_script
from shared.errors import InputError
from shared.program.settings import validated

WHOLE = """
answers = "data/answers.csv"
images = "data/images"
models = ["gemini-3.5-flash-lite"]
seed = 7

[latency]
mean_ms = 50
jitter_ms = 20

[day]
length_s = 60

[[project]]
name = "ours"
rpm = 10
rpd = 250

[[key]]
label = "first"
api_key = "secret-one"
project = "ours"

[[key]]
api_key = "secret-two"
state = "leaked"
valid_for = 3

[[fault]]
kind = "overloaded"
every = 50
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "script.toml"
    path.write_text(text)
    return path


def test_paths_are_below_the_script(tmp_path: Path):
    script = read_script(written(tmp_path, WHOLE))
    assert script.answers == tmp_path / "data" / "answers.csv"
    assert script.images == tmp_path / "data" / "images"
    assert [(key.label, key.project) for key in script.labelled_keys()] == [
        ("first", "ours"),
        ("key-2", "project-of-key-2"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seed = 7", "sed = 7", "did you mean 'seed'"),
        ("rpm = 10", "rpmm = 10", "did you mean 'rpm'"),
        ("rpm = 10", "rpm = -1", "project.0.rpm"),
        ('state = "leaked"', 'state = "stolen"', "key.1.state"),
        ('kind = "overloaded"', 'kind = "flood"', "fault.0.kind"),
        ("every = 50", "every = 50\nrate = 0.5", "exactly one of rate, every and at"),
        ("every = 50", "", "exactly one of rate, every and at"),
        ('project = "ours"', 'project = "theirs"', "no [[project]] 'theirs'"),
        ('"secret-two"', '"secret-one"', "same api_key"),
        ('label = "first"', 'label = "key-2"', "'key-2' occurs twice"),
        ("[[project]]", '[[project]]\nname = "ours"\n[[project]]', "'ours' occurs twice"),
        ("[day]", '[[model]]\nname = "m"\nimage_tokens = 9\n[day]', "a table was expected"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, words: str):
    assert old in WHOLE
    path = written(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read_script(path)
    message = str(caught.value)
    assert words in message
    assert str(path) in message
    assert "secret-" not in message
    assert "\n" not in message


def test_faults_strike_by_count_and_no_more_than_their_limit():
    rules = [
        FaultRule(Fault.OVERLOADED, every=3, limit=2),
        FaultRule(Fault.INTERNAL, at=frozenset({1, 3})),
    ]
    plan = FaultPlan(rules, random.Random(0))
    struck = [plan.next() for _ in range(10)]
    assert struck == [
        Fault.INTERNAL, None, Fault.OVERLOADED, None, None, Fault.OVERLOADED, *[None] * 4,
    ]  # fmt: skip


def test_faults_by_rate_are_the_same_for_the_same_seed():
    rules = [FaultRule(Fault.INTERNAL, rate=0.2), FaultRule(Fault.NONSENSE, rate=0.1)]
    plans = [FaultPlan(rules, random.Random(seed)) for seed in (1, 1, 2)]
    first, again, other = ([plan.next() for _ in range(2000)] for plan in plans)
    assert first == again != other
    counted = Counter(first)
    assert 300 < counted[Fault.INTERNAL] < 500
    assert 100 < counted[Fault.NONSENSE] < 220


DOCUMENT = Path(__file__).parents[3] / "docs" / "rehearsal.md"


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of all settings of a script, those of its tables too."""
    for name, field in model.model_fields.items():
        yield name
        for inner in [field.annotation, *get_args(field.annotation)]:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from settings_of(inner)


def test_the_document_tells_every_setting_and_every_kind():
    text = DOCUMENT.read_text()
    kinds = [*Fault, *JobMishap, *RowMishap, *UploadMishap, *LookMishap, *DownloadMishap]
    kinds += RehearsedKeyState
    names = {*settings_of(RehearsalScript), *(kind.value for kind in kinds)}
    assert {"rpm", "late_s", "changed_share", "batch_jobs"} <= names
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", text)) == []


def examples() -> list[str]:
    """Return the pieces of scripts in the document."""
    blocks = re.findall(r"(?:^    .*\n)+", DOCUMENT.read_text(), flags=re.MULTILINE)
    return [block for block in map(textwrap.dedent, blocks) if not block.startswith("curator ")]


@pytest.mark.parametrize("example", examples())
def test_the_examples_of_the_document_are_scripts(example: str):
    given = tomllib.loads(example)
    rest = {"answers": "vqa.csv", "images": "images"}
    rest |= {"project": [{"name": "mine"}, {"name": "our-cloud"}]}
    script = validated(RehearsalScript, rest | given, source="the document")
    told = script.model_dump(include=set(given))
    assert told != RehearsalScript(answers=Path(), images=Path()).model_dump(include=set(given))


def test_answers_of_a_script_without_their_images_hold_them_or_are_refused(tmp_path: Path):
    path = written(tmp_path, 'answers = "answers.csv"\naccept_unlisted_keys = true\n')
    (tmp_path / "answers.csv").write_text("question,answer,filename\nWhich?,red,a.jpg\n")
    with pytest.raises(InputError, match=r"holds no pictures; say with `images` in script.toml"):
        read_script(path)
    (tmp_path / "images").mkdir()
    assert read_script(path).images == tmp_path / "images"
