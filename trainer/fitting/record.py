"""What a finished run leaves in its folder for the commands that come after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import TRAINING_RECORD, require_adapter
from shared.vqa.names.base_place import BASE_FOLDER, base_folder, place_of_base
from shared.vqa.names.embedded import EMBEDDED_MODEL

DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A finished run: what it was made of, and its exact match in [0, 1] on the validation split.

    ``images`` is relative to the adapter's folder, so that both may move together. A fused adapter
    has no recipe, no steps and no epochs, and its scores are those of its domains' held-out pairs.
    """

    recipe_sha256: str
    base: str
    base_revision: str
    quantization: str
    lora_start: str
    images: str
    steps: int
    base_exact_match: float
    exact_match: float
    best_epoch: int


def write_record(record: RunRecord, adapter: Path) -> None:
    """Write the record whole or not at all, with where the base lies if that is a folder."""
    write_json(asdict(record) | place_of_base(record.base, adapter), adapter / TRAINING_RECORD)


def finished_run(adapter: Path) -> RunRecord | None:
    """Return the record of a finished run, or ``None`` where there is none.

    Its base is where that lies now, wherever the command was given that trained on it.
    """
    path = adapter / TRAINING_RECORD
    if not path.is_file():
        return None
    try:
        told = read_json(path)
        folder = base_folder(adapter, told)
        known = {name: value for name, value in told.items() if name != BASE_FOLDER}
        return RunRecord(**known | ({"base": folder} if folder else {}))
    except TypeError as error:
        raise InputError(
            f"{path}: not the record of a `trainer fit` or `fuse` run ({error})"
        ) from error


def require_no_model(adapter: Path) -> None:
    """Check that what is given for the folder of a run is no model.

    Raises:
        InputError: it is one.
    """
    if str(adapter) == EMBEDDED_MODEL or (adapter / "config.json").is_file():
        raise InputError(f"{adapter}: is a model, no adapter; give it as --model {adapter}")


def require_record(adapter: Path) -> RunRecord:
    """Return the record beside an adapter.

    Raises:
        InputError: the folder is no adapter, or not one that ``trainer`` made and finished.
    """
    require_adapter(adapter)
    record = finished_run(adapter)
    if record is None:
        raise InputError(
            f"{adapter}: {TRAINING_RECORD} is missing, so that its run is not finished; give the "
            "folder of one that is, or finish it with `trainer fit --resume`"
        )
    return record
