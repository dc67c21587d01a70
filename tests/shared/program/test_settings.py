"""TOML files become frozen settings, or the error says what to change."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError

from shared.errors import InputError
from shared.program.settings import Seed, Settings, load_settings
from shared.program.toml_files import read_toml

ROOT = Path(__file__).parents[3]


class Lora(Settings):
    rank: int = Field(16, gt=0)
    targets: tuple[str, ...] = ("query",)


class Recipe(Settings):
    data: Path
    epochs: int = 3
    rate: float = 0.5
    quick: bool | Literal["auto"] = "auto"
    seed: Seed = 0
    name: str = "run"
    lora: Lora = Lora()
    spare: Lora | None = None


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('data = "x"\n[lora]\nrank = 8\n')
    return path


def test_a_file_is_read_with_its_defaults(recipe):
    settings = load_settings(Recipe, recipe)
    assert settings == Recipe(data=Path("x"), lora=Lora(rank=8))


def test_settings_are_frozen(recipe):
    with pytest.raises(ValidationError, match="frozen"):
        load_settings(Recipe, recipe).epochs = 4


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=5", {"epochs": 5}),
        ("lora.rank=4", {"lora": Lora(rank=4)}),
        ('lora.targets=["key", "value"]', {"lora": Lora(rank=8, targets=("key", "value"))}),
        ("name=plain text", {"name": "plain text"}),
        ('name="4"', {"name": "4"}),
        ("data=/a/b=c", {"data": Path("/a/b=c")}),
        ("spare.rank=2", {"spare": Lora(rank=2)}),
        ("quick=true", {"quick": True}),
    ],
)
def test_one_setting_is_overridden(recipe, override, expected):
    settings = load_settings(Recipe, recipe, [override])
    assert {name: getattr(settings, name) for name in expected} == expected


def test_the_last_override_wins(recipe):
    assert load_settings(Recipe, recipe, ["epochs=5", "epochs=6"]).epochs == 6


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("epochs", "expected KEY=VALUE"),
        ("=5", "expected KEY=VALUE"),
        ("data.deeper=1", "'data' is not a table"),
        ("data=", "data: is empty; a path was expected"),
        ("data=s3://a/b", "data: 's3://a/b' is a URL; a path was expected"),
        ("epochs=true", "epochs: something else was expected than true"),
        ("lora.rank=false", "lora.rank: something else was expected than false"),
        ("rate=nan", "rate: must be a finite number"),
        ("rate=inf", "rate: must be a finite number"),
        ("seed=-1", "seed: must be greater than or equal to 0"),
        ("seed=99999999999999999999", "seed: must be less than 4294967296"),
        ("epoch=5", "unknown key 'epoch'; did you mean 'epochs'"),
        ("lora.rnak=5", "unknown key 'lora.rnak'; did you mean 'rank'"),
        ("spare.tragets=5", "unknown key 'spare.tragets'; did you mean 'targets'"),
        ("zzz=5", "known keys: data, epochs"),
        ("lora.rank=0", "lora.rank: .*greater than 0"),
        ("epochs=many", "epochs: .*integer"),
    ],
)
def test_a_wrong_setting_is_named_with_the_way_out(recipe, override, reason):
    with pytest.raises(InputError, match=reason) as refused:
        load_settings(Recipe, recipe, [override])
    assert "\n" not in str(refused.value)


def test_a_needed_setting_is_missed(tmp_path):
    (tmp_path / "r.toml").write_text("epochs = 1")
    with pytest.raises(InputError, match=r"r\.toml: data: has to be given"):
        load_settings(Recipe, tmp_path / "r.toml")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"epochs = ", "not valid TOML"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_toml_is_bad_input(tmp_path, content, reason):
    path = tmp_path / "r.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"r\.toml: {reason}"):
        read_toml(path)


def test_a_folder_is_no_toml_file(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_toml(tmp_path)


def test_a_file_as_editors_on_windows_write_it_is_read(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(b'\xef\xbb\xbfdata = "x"\r\nepochs = 4\r\n')
    assert load_settings(Recipe, path).epochs == 4


def test_only_one_module_reads_toml():
    readers = [
        str(path.relative_to(ROOT))
        for part in ("curator", "evaluator", "shared", "trainer")
        for path in (ROOT / part).rglob("*.py")
        if "tomllib" in path.read_text(encoding="utf-8")
    ]
    assert readers == ["shared/program/toml_files.py"]
