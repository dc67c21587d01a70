"""Files that lie beside a model's weights, in its folder or on a hub."""

from __future__ import annotations

from pathlib import Path

from shared.vqa.names.model_names import hub_errors, quiet_transformers, resolve_model


def beside_base(model: str, name: str) -> Path | None:
    """Return a file beside a base's weights, fetched if these are on a hub; ``None`` without it.

    Raises:
        InputError: no such model.
    """
    source = resolve_model(model)
    if Path(source).is_dir():
        path = Path(source, name)
        return path if path.is_file() else None
    # It takes seconds to import, which a folder need not wait for.
    from transformers.utils import cached_file  # noqa: PLC0415

    with quiet_transformers(), hub_errors(model):
        fetched = cached_file(
            source,
            name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return None if fetched is None else Path(fetched)
