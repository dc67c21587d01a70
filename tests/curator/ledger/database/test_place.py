"""Whether a ledger lies on a disk of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from curator.ledger.database.place import network_of

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw shared:2 - nfs4 server:/srv rw,vers=4.2
31 30 8:2 / /srv/own\040disk rw shared:3 - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/share rw - cifs //nas/share rw
33 32 0:42 / /mnt/share rw - tmpfs tmpfs rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/abo.db", None),
        ("/srv/abo.db", "nfs4"),
        ("/srv/deep/er/abo.db", "nfs4"),
        ("/srv2/abo.db", None),
        ("/srv/own disk/abo.db", None),
        # What is mounted over another one hides it.
        ("/mnt/share/abo.db", None),
    ],
)
def test_the_nearest_mount_says_what_it_is(path, kind):
    assert network_of(Path(path), MOUNTS) == kind


def test_where_nobody_tells_of_mounts_it_is_a_disk(tmp_path):
    assert network_of(tmp_path / "abo.db") is None
    assert network_of(tmp_path / "abo.db", "") is None
