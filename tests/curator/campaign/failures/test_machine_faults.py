"""What the machine causes is no image's fault: the run ends with the reason, and all wait."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from curator.campaign.beginning.open_files import OTHER_FILES
from tests.curator.campaigns import KEYS, Campaign, ended
from tests.curator.pictures import write_abo
from tests.fakes.moody_server import GOOD, MoodyServer

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4242\n"


@pytest.fixture
def stand_in(tmp_path, capsys):
    @asynccontextmanager
    async def open_campaign(pictures, mood=lambda key, n: GOOD):
        catalog = write_abo(tmp_path / "abo", pictures)
        folder = tmp_path / "work"
        folder.mkdir()
        (folder / "keys.txt").write_text(KEYS[0])
        server = MoodyServer(mood)
        async with server.serving() as url:
            yield Campaign(folder, catalog, server, url, capsys), server

    return open_campaign


def pictures_of(campaign):
    return sorted((campaign.catalog / "images" / "small").rglob("*.jpg"))


async def left(campaign) -> tuple[int, int]:
    progress = (await campaign.status())["progress"]
    return progress["done"] + progress["pending"], progress["dead"]


def emptied(campaign):
    (campaign.catalog / "images" / "small").rename(campaign.folder / "unmounted")
    (campaign.catalog / "images" / "small").mkdir()


def gone(campaign):
    (campaign.catalog / "images" / "small").rename(campaign.folder / "unmounted")


def replaced_by_a_loop(campaign):
    gone(campaign)
    (campaign.catalog / "images" / "small").symlink_to("small")


@pytest.mark.parametrize("happens", [emptied, gone, replaced_by_a_loop])
async def test_a_folder_that_goes_during_a_run_gives_nothing_up(stand_in, happens):
    def mood(key, n):
        if n == 5:
            happens(campaign)
        return GOOD

    async with stand_in(60, mood) as (campaign, server):
        result = await campaign.run(concurrency=2)
        assert result.code == 1, result.err
        last = result.err.splitlines()[-1]
        assert str(campaign.catalog / "images" / "small") in last
        assert "run the same command again" in last
        assert await left(campaign) == (60, 0)
        asked = server.asked.total()
        # The next run does not ask either.
        assert (await campaign.run()).code in {1, 2}
        assert server.asked.total() == asked


@pytest.mark.parametrize("content", [b"", LFS_POINTER])
@pytest.mark.parametrize("pictures", [1, 3, 130])
async def test_pictures_of_which_none_can_be_read_are_not_given_up(stand_in, content, pictures):
    async with stand_in(pictures) as (campaign, server):
        for path in pictures_of(campaign):
            path.write_bytes(content)
        result = await campaign.run()
        assert result.code == 2, result.err
        assert not campaign.ledger.exists() or await left(campaign) == (pictures, 0)
        assert server.asked.total() == 0


async def test_a_few_that_vanished_among_many_are_dead_letters(stand_in):
    async with stand_in(60) as (campaign, _):
        assert (await campaign.run(limit=1)).code == 0
        for path in pictures_of(campaign)[20:45]:
            path.unlink()
        result = await campaign.run()
        assert result.code == 0, result.err
        assert await left(campaign) == (35, 25)
        assert "25 images given up (25 times broken image" in result.err


@pytest.mark.parametrize(("files", "code"), [(OTHER_FILES + 40, 0), (OTHER_FILES - 4, 2)])
async def test_few_open_files_lower_the_concurrency_or_are_told(stand_in, files, code):
    async with stand_in(150) as (campaign, server):
        command = [sys.executable, "-m", "curator", "run", "--catalog", str(campaign.catalog)]
        command += ["--keys", str(campaign.folder / "keys.txt"), "--ledger", str(campaign.ledger)]
        command += ["--endpoint", campaign.url, "--concurrency", "200", "--questions", "3"]
        limited = f'ulimit -n {files}; exec "$@"'
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", limited, "bash", *command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ,
        )
        result = await ended(process)
        assert result.code == code, result.err
        assert "ulimit -n" in result.err
        assert "Traceback" not in result.err
        if code == 0:
            assert "150 of 150 images done, 0 given up" in result.out
        else:
            assert server.asked.total() == 0


def test_a_soft_limit_is_raised():
    program = (
        "import resource as r;"
        "from curator.campaign.beginning.open_files import affordable_concurrency as a;"
        "r.setrlimit(r.RLIMIT_NOFILE, (80, r.getrlimit(r.RLIMIT_NOFILE)[1]));"
        "print(a(300), r.getrlimit(r.RLIMIT_NOFILE)[0] >= 300 + 64)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "300 True\n"
