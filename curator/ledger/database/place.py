"""Where a ledger lies: on a disk of this machine, or over a network.

There SQLite's WAL is not safe: all processes that use a database have to be on one host
(https://sqlite.org/wal.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORKS: Final = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs"),
        *("fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs"),
        *("nfs", "nfs4", "pvfs2", "smb3", "smbfs"),
    }
)
"""The names by which Linux knows file systems of other machines."""
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def network_of(path: Path, mounts: str | None = None) -> str | None:
    """Return the kind of network file system that holds ``path``; ``None`` on a disk of one's own.

    ``mounts`` is what Linux tells of them (``proc_pid_mountinfo(5)``); elsewhere nobody tells.
    """
    if mounts is None:
        mounts = ""
        with suppress(OSError):
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    folder = PurePosixPath(path.resolve().as_posix())
    kind = ""
    deepest = -1
    for point, named in _mounted(mounts):
        # Of two mounts on one folder the later lies above.
        if folder.is_relative_to(point) and len(point.parts) >= deepest:
            kind, deepest = named, len(point.parts)
    return kind if kind in _NETWORKS else None


def _mounted(mounts: str) -> Iterator[tuple[PurePosixPath, str]]:
    for line in mounts.splitlines():
        place, dash, kind = line.partition(" - ")
        fields = place.split(" ")
        if dash and len(fields) > 4:  # noqa: PLR2004 - the fifth is where it is mounted
            point = _ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[4])
            yield PurePosixPath(point), kind.split(" ")[0]
