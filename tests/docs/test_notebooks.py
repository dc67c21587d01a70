"""The notebooks of the documents run, and what they kept is what they show."""

from __future__ import annotations

import pytest

pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
pytest.importorskip("easy_vqa", reason="the extra `demo` is not installed")

import nbformat

from docs.site.execute import NOTEBOOKS, executed

ALL = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def shown(notebook) -> list[list[tuple[str, ...]]]:
    """The kinds of output of each cell: figures and times differ from run to run."""
    return [
        sorted(
            {tuple(sorted(output.get("data", {output.get("name"): ""}))) for output in cell.outputs}
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_there_is_one_for_each_part():
    assert ALL == ["curator", "evaluator", "trainer"]


@pytest.mark.parametrize("name", ALL)
def test_it_keeps_its_outputs_and_no_place_of_the_machine_it_ran_on(name):
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    kept = nbformat.reads(text, as_version=4)
    assert sum(map(bool, shown(kept))) >= 3
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "site-packages"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("default")
def test_it_runs_from_an_empty_folder_and_shows_what_it_kept(name, tmp_path):
    kept = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert shown(executed(NOTEBOOKS / f"{name}.ipynb", tmp_path)) == shown(kept)
