"""What is asked of the hub through its own package, whose errors are told in one line here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import InputError
from shared.hub.library import bars_on_terminals, first_line, is_of_clients, log_once
from shared.hub.place import Place

if TYPE_CHECKING:
    from huggingface_hub import RepoFile


def silence_of(place: Place) -> str:
    """Return why the hub cannot be asked, "" where it answers, if only that it is busy.

    Its package would ask it for minutes; what it does about a busy one it tells.
    """
    with _errors(place):
        from huggingface_hub import HfApi, constants, errors, is_offline_mode  # noqa: PLC0415

        if is_offline_mode():
            return "HF_HUB_OFFLINE is set"
        log_once()
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
            return first_line(error)
        except Exception as error:
            if not is_of_clients(error):
                raise
            return first_line(error)
    return ""


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

    with _errors(place), bars_on_terminals():
        file = hf_hub_download(place.name, place.path, repo_type="dataset", revision=place.revision)
        return Path(file)


def fetched(place: Place, patterns: Sequence[str]) -> Path:
    """Return the folder of a data set's files here, once it holds those of ``patterns``."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _errors(place), bars_on_terminals():
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
        raise unreachable(place, first_line(error)) from error
    except (OSError, RuntimeError) as error:
        raise unreachable(place, first_line(error)) from error
    except Exception as error:
        if not is_of_clients(error):
            raise
        raise unreachable(place, first_line(error)) from error
