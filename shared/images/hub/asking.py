"""What is asked of the hub through its own package, whose errors are told in one line here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.errors import InputError
from shared.images.hub.place import Place

if TYPE_CHECKING:
    from huggingface_hub import RepoFile

_CLIENTS: Final = ("http", "requests", "urllib3")
"""How the names of packages begin with which releases of `huggingface_hub` ask the hub."""


def silence_of(place: Place) -> str:
    """Return why the hub cannot be asked, "" where it answers, if only that it is busy.

    Its package would ask it for minutes; what it does about a busy one it tells.
    """
    with _errors(place):
        from huggingface_hub import HfApi, constants, errors, is_offline_mode  # noqa: PLC0415

        if is_offline_mode():
            return "HF_HUB_OFFLINE is set"
        _log_once()
        try:
            HfApi().dataset_info(
                place.name,
                revision=place.revision,
                timeout=constants.HF_HUB_ETAG_TIMEOUT,
                expand=["sha"],
            )
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
            raise
        except errors.HfHubHTTPError:
            return ""
        except (OSError, RuntimeError) as error:
            return _first_line(error)
        except Exception as error:
            if not _is_of_clients(error):
                raise
            return _first_line(error)
    return ""


def _log_once() -> None:
    """Have the hub's package hand its warnings to our log, and not write them too."""
    logger = logging.getLogger("huggingface_hub")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def listed_files(place: Place) -> Sequence[RepoFile]:
    """Return the files below a place.

    Raises:
        InputError: the hub has no such place, or does not tell.
    """
    from huggingface_hub import HfApi, RepoFile  # noqa: PLC0415

    with _errors(place):
        entries = HfApi().list_repo_tree(
            place.name,
            place.path or None,
            recursive=True,
            revision=place.revision,
            repo_type="dataset",
        )
        return [entry for entry in entries if isinstance(entry, RepoFile)]


def fetched_file(place: Place) -> Path:
    """Return the one file that a place is, here."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415

    with _errors(place), _bars_on_terminals():
        file = hf_hub_download(place.name, place.path, repo_type="dataset", revision=place.revision)
        return Path(file)


def fetched(place: Place, patterns: Sequence[str]) -> Path:
    """Return the folder of a data set's files here, once it holds those of ``patterns``."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _errors(place), _bars_on_terminals():
        folder = snapshot_download(
            place.name,
            repo_type="dataset",
            revision=place.revision,
            allow_patterns=list(patterns),
        )
        return Path(folder)


def kept_files(place: Place, patterns: Sequence[str]) -> Path:
    """Return the folder of a data set's files here, if all of ``patterns`` are in it."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _errors(place):
        folder = snapshot_download(
            place.name,
            repo_type="dataset",
            revision=place.revision,
            allow_patterns=list(patterns),
            local_files_only=True,
        )
    return Path(folder)


class HubUnreachable(InputError):
    """The hub does not answer, or is not to be asked."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def unreachable(place: Place, reason: str = "") -> HubUnreachable:
    """Return the error that says that neither the hub nor its cache here has a place."""
    reason = place.silence or reason
    because = f" ({reason})" if reason else ""
    return HubUnreachable(
        f"{place.address}: the hub cannot be reached{because} and its cache on this machine does "
        "not hold it; fetch it where there is a network, or give a path",
        reason,
    )


@contextmanager
def _errors(place: Place) -> Iterator[None]:
    """Say in one line why something cannot be had of the hub."""
    try:
        from huggingface_hub import errors  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"{place.address}: needs `pip install 'abo-vqa[hub]'`") from error
    try:
        yield
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise unreachable(place) from error
    except errors.GatedRepoError as error:
        raise InputError(
            f"{place.address}: its owner asks for consent; give it on the data set's page, and "
            "say who you are with HF_TOKEN"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"{place.address}: the hub has no such data set or revision; a private one needs "
            "HF_TOKEN"
        ) from error
    except errors.EntryNotFoundError as error:
        raise InputError(f"{place.address}: the data set has no such file or folder") from error
    except errors.HfHubHTTPError as error:
        raise unreachable(place, _first_line(error)) from error
    except (OSError, RuntimeError) as error:
        raise unreachable(place, _first_line(error)) from error
    except Exception as error:
        if not _is_of_clients(error):
            raise
        raise unreachable(place, _first_line(error)) from error


def _is_of_clients(error: Exception) -> bool:
    """Return whether it is of the client of HTTP, whose errors the hub's package passes on."""
    return type(error).__module__.startswith(_CLIENTS)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def _bars_on_terminals() -> Iterator[None]:
    """Let the hub draw its bars where they are seen."""
    from huggingface_hub.utils.tqdm import (  # noqa: PLC0415
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    quiet = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if quiet:
        disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            enable_progress_bars()
