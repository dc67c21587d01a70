"""What a hub, its package or its client say in place of taking something, each in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.hub.library import first_line, is_of_clients

_NO_ACCOUNT, _NO_RIGHT, _GONE, _TAKEN, _MOVED_ON = 401, 403, 404, 409, 412
_BUSY: Final = 429
_SERVERS_FAULT: Final = 500
_WRONG_CARD: Final = "Invalid metadata"
"""How the hub's package begins a message about a card; what is wrong follows line by line."""
_GOES_ON: Final = "the same command goes on, and sends nothing twice that has arrived"


@contextmanager
def refusals(name: str, *, made: bool = False) -> Iterator[None]:
    """Say in one line why a repository was not written, and with which exit code.

    ``made``: this push has made the repository, which is still empty.

    Raises:
        InputError: account, name or files will not do.
        StoppedForNow: the hub does not answer, or is busy; the same command goes on.
    """
    try:
        from huggingface_hub import errors  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"{name}: needs `pip install 'abo-vqa[hub]'`") from error
    empty = f"; {name} was made, and is empty so far" if made else ""
    try:
        yield
    except AboVqaError:
        raise
    except errors.OfflineModeIsEnabled as error:
        raise InputError(f"{name}: HF_HUB_OFFLINE is set; unset it to push") from error
    except errors.GatedRepoError as error:
        raise InputError(
            f"{name}: its owner asks for consent; give it on its page, or push to another name"
        ) from error
    except errors.LocalTokenNotFoundError as error:
        raise no_token(name) from error
    except errors.HfHubHTTPError as error:
        raise _told(name, error, error.response.status_code, empty) from error
    except ValueError as error:
        raise _odd(name, error, empty) from error
    except (OSError, RuntimeError) as error:
        raise _unreachable(name, error, empty) from error
    except Exception as error:
        if not is_of_clients(error) and not type(error).__module__.startswith("hf_xet"):
            raise
        raise _unreachable(name, error, empty) from error


def no_token(name: str) -> InputError:
    """Return the error of whoever does not say who they are."""
    return InputError(
        f"{name}: the hub has to know who pushes; set HF_TOKEN to a token with the right to write, "
        "or type `hf auth login`"
    )


def _told(name: str, error: Exception, status: int, empty: str) -> AboVqaError:
    said = getattr(error, "server_message", None) or ""
    because = f" ({said.splitlines()[0]})" if said.strip() else ""
    if status == _NO_ACCOUNT:
        return InputError(
            f"{name}: the hub does not take this token{because}; set HF_TOKEN to one that it knows "
            f"and that may write{empty}"
        )
    if status == _NO_RIGHT:
        return InputError(
            f"{name}: this token may not write there{because}; give one that may, or a name of "
            f"your own{empty}"
        )
    if status == _GONE:
        return InputError(f"{name}: the hub has no such repository{because}; look at its name")
    if status in {_TAKEN, _MOVED_ON}:
        return StoppedForNow(
            f"{name}: somebody else wrote there meanwhile{because}; nothing was changed, the same "
            f"command tries again{empty}"
        )
    if status == _BUSY or status >= _SERVERS_FAULT:
        return StoppedForNow(f"{name}: the hub is busy ({status}){because}; {_GOES_ON}{empty}")
    return InputError(f"{name}: the hub refuses it ({status}){because}{empty}")


def _odd(name: str, error: ValueError, empty: str) -> InputError:
    """Return what is told of a card that the hub finds wrong, or of answers that are no hub's."""
    lines = [line.strip("- ") for line in str(error).strip().splitlines()]
    if lines and lines[0].startswith(_WRONG_CARD):
        return InputError(f"{name}: {' '.join(lines)}{empty}; mend it and push again")
    return InputError(
        f"{name}: what answers at HF_ENDPOINT is no hub, or a new kind ({first_line(error)}){empty}"
    )


def _unreachable(name: str, error: Exception, empty: str) -> StoppedForNow:
    cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
    xet = "xet" in f"{type(error).__module__} {error}".lower()
    other_way = "; HF_HUB_DISABLE_XET=1 goes another way, for hubs without Xet" if xet else ""
    return StoppedForNow(
        f"{name}: the hub does not answer ({first_line(cause)}); {_GOES_ON}{other_way}{empty}"
    )
