"""What a rehearsal plays: a TOML file as frozen settings. See ``curator rehearse --help``."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from curator.rehearsal.script_tables import (
    BatchTable,
    DayTable,
    FaultTable,
    FilesTable,
    FlexTable,
    KeyTable,
    LatencyTable,
    ModelTable,
    ProjectTable,
    QuotaTable,
)
from shared.dataset.opening import with_data_opened
from shared.endpoints.keys.keyfile import KeyFile
from shared.errors import InputError
from shared.program.settings import Settings, validated
from shared.program.toml_files import read_toml


class RehearsalScript(Settings):
    """Everything about one rehearsal; paths are below the script's folder.

    Without ``answers``, questions and answers are made up about any image.
    """

    answers: Path | None = None
    images: Path | None = None
    columns: dict[str, str] = Field({})
    models: tuple[str, ...] = ()
    seed: int = 0
    accept_unlisted_keys: bool = False
    unlisted_quota: QuotaTable = QuotaTable()
    latency: LatencyTable = LatencyTable()
    flex: FlexTable = FlexTable()
    batch: BatchTable = BatchTable()
    files: FilesTable = FilesTable()
    day: DayTable = DayTable()
    project: tuple[ProjectTable, ...] = ()
    model: tuple[ModelTable, ...] = ()
    key: tuple[KeyTable, ...] = ()
    fault: tuple[FaultTable, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.answers and not self.images:
            raise ValueError("answers need the folder of their images; give images, too")
        names = [project.name for project in self.project]
        _refuse_twins(names, "project")
        _refuse_twins([key.label for key in self.labelled_keys()], "key label")
        written = [key.api_key for key in self.key if key.api_key]
        if len(set(written)) < len(written):
            raise ValueError("two [[key]] tables have the same api_key")
        for key in self.labelled_keys():
            if key.project not in {*names, _own_project(key.label)}:
                raise ValueError(f"key {key.label!r}: there is no [[project]] {key.project!r}")
        self._check_models(names)
        return self

    def _check_models(self, projects: list[str]) -> None:
        _refuse_twins([model.name for model in self.model], "model")
        for project in self.project:
            _refuse_twins([model.name for model in project.model], f"{project.name}: model")
        own = {key.project for key in self.labelled_keys()}
        for model in self.model:
            for name in model.closed_to:
                if name not in {*projects, *own}:
                    raise ValueError(f"model {model.name!r}: there is no [[project]] {name!r}")

    def labelled_keys(self) -> tuple[KeyTable, ...]:
        """Return the keys, each with a label and a project, its own where none is written."""
        labelled = []
        for number, key in enumerate(self.key, start=1):
            label = key.label or f"key-{number}"
            project = key.project or _own_project(label)
            labelled.append(key.model_copy(update={"label": label, "project": project}))
        return tuple(labelled)


def read_script(path: Path) -> RehearsalScript:
    """Read a script; its relative paths are taken from where it lies.

    Raises:
        InputError: unreadable, an unknown key, a value that does not fit, or twins.
    """
    folder = path.parent.resolve()
    tables = with_data_opened(read_toml(path), "answers", folder, option=f"`images` in {path.name}")
    script = validated(RehearsalScript, tables, source=str(path))
    paths = {"answers": script.answers, "images": script.images}
    return script.model_copy(
        update={name: folder / path for name, path in paths.items() if path is not None}
    )


def require_keys(script: RehearsalScript) -> None:
    """Check that some key may work.

    Raises:
        InputError: the script names no keys and accepts none.
    """
    if not script.key and not script.accept_unlisted_keys:
        raise InputError(
            "no key would work: add [[key]] or accept_unlisted_keys = true to the script, "
            "or give --keys FILE"
        )


def with_campaign_keys(script: RehearsalScript, file: KeyFile) -> RehearsalScript:
    """Return ``script`` with the pool of a keys file, all valid, under the quotas it states.

    The limits that it states for models count as well; the script's models keep the rest. An
    account of Google Cloud may bring any token.
    """
    projects = {
        key.project: ProjectTable(
            name=key.project, rpm=key.quota.rpm, tpm=key.quota.tpm, rpd=key.quota.rpd
        )
        for key in file.keys
    }
    models = {model.name: model for model in script.model}
    for asked in file.models:
        known = models.get(asked.name, ModelTable(name=asked.name))
        own = {"rpm": asked.quota.rpm, "tpm": asked.quota.tpm, "rpd": asked.quota.rpd}
        models[asked.name] = known.model_copy(update=own)
    keys = [
        KeyTable(
            api_key=key.secret,
            label=key.label,
            project=key.project,
            enterprise=key.account is not None,
        )
        for key in file.keys
    ]
    return script.model_copy(
        update={
            "project": tuple(projects.values()),
            "model": tuple(models.values()),
            "key": tuple(keys),
            "accept_unlisted_keys": False,
        }
    )


def _own_project(label: str) -> str:
    return f"project-of-{label}"


def _refuse_twins(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} {name!r} occurs twice")
