"""Writes tasks as the file or folder that another page takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from curator.review.exchange import argilla, label_studio
from curator.review.exchange.pages import Page
from curator.review.exchange.tasks import Task
from shared.errors import InputError
from shared.files.atomic import atomic_path, refilled_folder


def write_tasks(tasks: Sequence[Task], page: Page, out: Path) -> None:
    """Write ``tasks`` for ``page`` to ``out``.

    Label Studio's is a JSON file, beside which the labelling configuration stands as ``.xml``;
    Argilla's a folder.

    Raises:
        InputError: ``out`` is no such place, or cannot be written.
    """
    if page is Page.ARGILLA:
        if out.suffix:
            raise InputError(f"{out}: --to argilla writes a folder; give --out without a suffix")
        with refilled_folder(out, last=argilla.RECORDS) as part:
            (part / argilla.DATASET).parent.mkdir()
            dataset = {"name": out.name, "guidelines": None, "allow_extra_metadata": True}
            (part / argilla.DATASET).write_bytes(orjson.dumps(dataset))
            (part / argilla.SETTINGS).write_bytes(orjson.dumps(argilla.settings_object()))
            records = [argilla.record_object(task) for task in tasks]
            (part / argilla.RECORDS).write_bytes(orjson.dumps(records))
        return
    if out.suffix.lower() != ".json":
        raise InputError(f"{out}: --to label-studio writes a .json file; give --out FILE.json")
    with atomic_path(out) as part:
        part.write_bytes(orjson.dumps([label_studio.task_object(task) for task in tasks]))
    with atomic_path(out.with_suffix(".xml")) as part:
        part.write_text(label_studio.CONFIGURATION, encoding="utf-8")
