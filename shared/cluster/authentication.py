"""The token that a Ray cluster asks for.

Ray 2.60 finds a user's token by itself, but shows it to a cluster only where ``RAY_AUTH_MODE`` says
so; a cluster that asks for none lets whoever shows one join, but start no actors. A cluster that
Ray starts on this machine always has one, and unless it is told which, Ray writes it below the
user's home.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Final

MODE: Final = "RAY_AUTH_MODE"
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 (a name, no token)
TOKEN_PATH: Final = "RAY_AUTH_TOKEN_PATH"  # noqa: S105
TOKEN_FILE: Final = "~/.ray/auth_token"  # noqa: S105

_ENDED_UNUSED: Final = ("all references to the actor were removed", "cancelled before it started")


def present_own_token() -> None:
    """Have Ray show the user's token, where there is one and nothing says otherwise.

    Once Ray is imported it is too late: it would start a cluster that asks for the token, and not
    show it.
    """
    if "ray" not in sys.modules and MODE not in os.environ and has_token():
        os.environ[MODE] = "token"


def has_token() -> bool:
    """Return whether Ray would find a token of the user's."""
    if os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH):
        return True
    # Without a home in the environment or the user database, the name is returned as it is.
    return Path(os.path.expanduser(TOKEN_FILE)).is_file()  # noqa: PTH111


def make_token_for_here() -> None:
    """Give a cluster of this machine a token of its own, so that the home stays untouched."""
    if not has_token():
        os.environ[TOKEN] = secrets.token_hex(32)


def asks_for_token(error: BaseException) -> bool:
    """Return whether a failure to join a cluster comes from its token."""
    while error.__cause__ is not None and "AuthenticationError" not in f"{error!r}":
        error = error.__cause__
    return "AuthenticationError" in f"{error!r}"


def token_advice() -> str:
    """Return what is wrong with the user's token, and the ways to give one."""
    if os.environ.get(MODE, "token") != "token":
        return f"it asks for a token, and {MODE}={os.environ[MODE]} keeps yours back; unset {MODE}"
    state = "is not the cluster's" if has_token() else "is missing"
    return (
        f"it asks for a token, and yours {state}; give it in {TOKEN}, in a file that {TOKEN_PATH} "
        f"names, or in {TOKEN_FILE}"
    )


def unwanted_token_advice(reason: str) -> str:
    """Return what may be wrong where a cluster ends actors before they run; nothing if it is not.

    A process that shows a token also asks for one from those that call it. A cluster without one
    joins it, and then takes it for dead at the first call (Ray 2.60,
    ``findings/ray-token-shown-to-a-cluster-without-one.sh``).
    """
    if not any(said in reason for said in _ENDED_UNUSED) or os.environ.get(MODE) != "token":
        return ""
    return f"; if the cluster asks for no token, keep yours back: set {MODE}=disabled"
