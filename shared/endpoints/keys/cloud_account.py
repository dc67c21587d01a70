"""Google Cloud's door, as a keys file names it: a project, a location, and whose credentials.

No secret stands in the file itself: access tokens are got by ``shared.endpoints.protocols.doors``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import orjson

from shared.errors import InputError
from shared.value_class import value_class

_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9:.-]{0,100}")
_LOCATION: Final = re.compile(r"[a-z][a-z0-9-]{0,60}")
_SERVICE_ACCOUNT: Final = "service_account"
_WANTED: Final = ("client_email", "private_key", "token_uri")


@value_class
class CloudAccount:
    """Where requests go at Google Cloud, and who makes them.

    ``credentials`` is the file of a service account, and ``email`` what that is called; without
    it, those are the default credentials of the machine (application default credentials).
    """

    project: str
    location: str
    credentials: Path | None = None
    email: str = ""

    @property
    def place(self) -> str:
        """What Google Cloud meters: the project in the location."""
        return f"{self.project}/{self.location}"


def cloud_account(project: str, location: str, credentials: Path | None, key: str) -> CloudAccount:
    """Return the account of a ``[[key]]`` table; ``key`` is what messages call it.

    Raises:
        InputError: the project or the location is missing or cannot be one, or the credentials are
            no service account's file. No message holds what stands in that.
    """
    if not project:
        raise InputError(f'{key}: give the project at Google Cloud as project = "..."')
    if not location:
        raise InputError(f'{key}: give the location as location = "...", such as "global"')
    if not _PROJECT.fullmatch(project):
        raise InputError(f"{key}: project {project!r} is no project's id at Google Cloud")
    if not _LOCATION.fullmatch(location):
        raise InputError(f"{key}: location {location!r} is none of Google Cloud's")
    email = (
        "" if credentials is None else _email_in(credentials, f"{key}: credentials {credentials}")
    )
    return CloudAccount(project, location, credentials, email)


def _email_in(path: Path, what: str) -> str:
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{what}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{what}: cannot be read ({error.strerror})") from None
    except ValueError:
        # The chained error would carry the file's text, and with it the private key.
        raise InputError(f"{what}: is not JSON") from None
    if not isinstance(content, dict) or content.get("type") != _SERVICE_ACCOUNT:
        raise InputError(
            f"{what}: is no service account's file; for other credentials leave it out, and let "
            "GOOGLE_APPLICATION_CREDENTIALS name the file"
        )
    for name in _WANTED:
        if not (isinstance(content.get(name), str) and content[name].strip()):
            raise InputError(f"{what}: {name} is missing")
    return str(content["client_email"]).strip()
