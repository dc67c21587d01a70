"""A mapping of one's own, from the option to the pairs: in a run, and for what was gathered."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

OWN = """
[subject.colour]
asked = ["colour"]
fields = ["Item Name"]
families = ["thing {}"]
""".format(" ".join(f"colour{n}" for n in range(12)))


def agreements(campaign) -> Counter[str]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        rows = database.execute("SELECT agreement FROM pairs WHERE question LIKE '%colour%'")
        return Counter(agreement for (agreement,) in rows)


async def test_what_a_run_compares_is_what_the_file_names(stage):
    campaign = await stage()
    (campaign.folder / "own.toml").write_text(OWN)
    assert (await campaign.run(agreement=campaign.folder / "own.toml")).code == 0
    assert agreements(campaign) == {"agrees": 12}


async def test_pairs_that_were_gathered_are_compared_anew_by_another_file(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    assert agreements(campaign) == {"unknown": 12}
    (campaign.folder / "own.toml").write_text(OWN)
    done = await campaign.command("reparse", "--agreement", str(campaign.folder / "own.toml"))
    assert done.code == 0, done.err
    assert agreements(campaign) == {"agrees": 12}
    assert (await campaign.command("reparse")).code == 0
    assert agreements(campaign) == {"unknown": 12}


async def test_a_file_that_cannot_be_used_ends_a_run_before_anything_is_written(stage):
    campaign = await stage()
    (campaign.folder / "own.toml").write_text("[subject.x]\nasked = ['a']\n")
    process = await campaign.start("--agreement", str(campaign.folder / "own.toml"))
    _, err = await process.communicate()
    assert process.returncode == 2
    assert b"own.toml" in err
    assert not campaign.ledger.exists()
