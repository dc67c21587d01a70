"""``curator prompt`` prints the default file, and shows what one's own sends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curator.__main__ import app
from curator.prompts.prompt_file import default_text
from shared.program.cli import run_program
from tests.curator.pictures import write_abo


@pytest.fixture
def prompted(capsys):
    """Run the command; return how it ended, and what it printed and complained of."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", ["prompt", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


def written(folder: Path, content: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_the_default_file_is_printed_and_can_be_used_as_it_is(prompted, tmp_path):
    code, out, err = prompted()
    assert (code, out, err) == (0, default_text(), "next: curator prompt FILE.toml\n")
    code, out, _ = prompted(written(tmp_path, out))
    assert code == 0
    assert "mine.toml: version 1-47030eff, 10 questions" in out.splitlines()[0]


def test_what_is_sent_about_the_first_listing_is_shown_whole(prompted, tmp_path):
    abo = write_abo(tmp_path / "abo", 2)
    path = written(tmp_path, 'text = "About {listing.item_name}: {fields}"\nquestions = 2')
    code, out, _ = prompted(path, "--catalog", abo)
    assert code == 0
    before, after, form = (
        out.partition(f"--- {head}\n")[2]
        for head in ("before the image", "after the image", "the form of the reply")
    )
    assert before.startswith("About thing 0: question and answer\n")
    assert after.startswith("Catalogue data:\nitem_name: thing 0\n")
    assert list(json.loads(form)["items"]["properties"]) == ["question", "answer"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("questions = 0", "mine.toml: questions: must be greater than or equal to 1"),
        ('text = "{listing.colour}"', "there is {listing.item_name}"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_2_and_one_line(prompted, tmp_path, content, told):
    path = written(tmp_path, content)
    code, out, err = prompted(path, "--catalog", write_abo(tmp_path / "abo", 1))
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
