"""What a user gives of a campaign, as the curator takes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.endpoints.models.asked_settings import AskedSettings, ImageDetail, Thinking
from shared.endpoints.models.known import ModelCatalogue, packaged_models
from shared.endpoints.models.tier import Tier


def catalogue_of(models: Path | None) -> ModelCatalogue:
    """Return what is known of models, with the user's own file laid over it.

    Raises:
        InputError: the file cannot be used.
    """
    if models is None:
        return packaged_models()
    # It takes pydantic, which most commands that come here do without.
    from shared.endpoints.models.users_file import models_with  # noqa: PLC0415

    return models_with(models)


def concurrency_at(tier: Tier, given: int | None) -> int:
    """Return how many requests may be in flight: as given, or more where each takes minutes."""
    return given or (128 if tier is Tier.FLEX else 16)


def prompt_files(given: Sequence[str] | None) -> list[tuple[Path, float | None]]:
    """Return the files of ``--prompt``, each with its share where one is given.

    What stands behind the last equals sign is a share where it is a number, and where no file has
    the whole name.
    """
    return [_prompt_file(text) for text in given or ()]


def _prompt_file(text: str) -> tuple[Path, float | None]:
    name, equals, share = text.rpartition("=")
    if not equals or Path(text).exists():
        return Path(text), None
    try:
        return Path(name), float(share)
    except ValueError:
        return Path(text), None


def settings_asked(thinking: Thinking | None, image_detail: ImageDetail | None) -> AskedSettings:
    """Return how models are asked to think and to look."""
    return AskedSettings(thinking or "", image_detail or "")
