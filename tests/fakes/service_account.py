"""The file of a service account of Google Cloud, with a key of its own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from curator.rehearsal.doors.tokens import OAUTH_PATH


def write_service_account(path: Path, server: str, project: str, name: str = "curator") -> Path:
    """Write the file of an account of ``project``, which gets its tokens at ``server``."""
    content = {
        "type": "service_account",
        "project_id": project,
        "private_key": private_key(),
        "client_email": f"{name}@{project}.iam.gserviceaccount.com",
        "token_uri": server + OAUTH_PATH,
    }
    path.write_text(json.dumps(content))
    return path


@cache
def private_key() -> str:
    """Return a private key in PEM: made once, for that takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
