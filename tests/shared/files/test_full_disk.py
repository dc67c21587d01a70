"""A disk that takes no more is one line, and what was there stays, whichever library writes."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.files.atomic import atomic_path, new_folder, refilled_folder, replaced_folder
from shared.program.full_disk import NotWritten, why_disk_takes_no_more

FULL = Path("/dev/full")
WRITERS = {
    "python": "part.write_bytes(bytes(200_000))",
    "pyarrow": """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
noise = np.random.default_rng(0).random(50_000)
pq.write_table(pa.table({"x": noise}), part)""",
    "pyarrow by parts": """
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
table = pa.table({"x": np.random.default_rng(0).random(50_000)})
with pq.ParquetWriter(part, table.schema) as writer:
    for _ in range(3):
        writer.write_table(table)""",
    "safetensors": """
import torch
from safetensors.torch import save_file
save_file({"x": torch.zeros(50_000)}, part)""",
    "torch": """
import torch
torch.save({"x": torch.zeros(50_000)}, part)""",
    "Pillow": """
import os
from PIL import Image
Image.frombytes("RGB", (300, 300), os.urandom(270_000)).save(part, "PNG")""",
}
PROGRAM = """
import resource, sys
from pathlib import Path
import typer
from shared.files.atomic import atomic_path, replaced_folder
from shared.program.cli import run_program
app = typer.Typer()
@app.command()
def write(target: Path, folder: bool = False) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    with (replaced_folder if folder else atomic_path)(target) as part:
        part = part / "file" if folder else part
        exec(sys.stdin.read())
run_program(app, "writer")
"""


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def written(writer, *words):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        input=WRITERS[writer],
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, writer):
    target = tmp_path / "kept"
    target.write_text("old")
    ended = written(writer, target)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"writer: {target}: cannot be written (")
    assert ended.stderr.endswith("); make room, and run the same command again\n")
    assert ended.stderr.count("\n") == 1
    assert target.read_text() == "old"
    assert names_in(tmp_path) == ["kept"]


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["python", "pyarrow by parts", "safetensors", "torch"])
def test_a_full_disk_is_one_line_and_leaves_the_old_folder(tmp_path, writer):
    target = tmp_path / "kept"
    target.mkdir()
    (target / "file").write_text("old")
    ended = written(writer, "--folder", target)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert (target / "file").read_text() == "old"
    assert names_in(tmp_path) == ["kept"]


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x"):
        (tmp_path / "none").read_bytes()
    assert why_disk_takes_no_more(ValueError("errno 2")) is None
    assert names_in(tmp_path) == []


def test_standard_output_on_a_full_disk_is_one_line():
    if not FULL.exists():
        pytest.skip("no /dev/full here")
    program = (
        "import typer\nfrom shared.program.cli import run_program\napp = typer.Typer()\n"
        "@app.command()\ndef tell():\n    print('x' * 10)\nrun_program(app, 'teller')"
    )
    with FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "teller: nothing more can be written (No space left on device); "
        "make room, and run the same command again\n"
    )


def test_a_folder_in_a_files_place_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match=r"d\.csv: is a folder"), atomic_path(tmp_path / "d.csv"):
        raise AssertionError
    assert names_in(tmp_path) == ["d.csv"]


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path):
    target = tmp_path / "d.csv"
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    WRITERS["killed"] = killed
    assert written("killed", target).returncode == -9
    assert len(names_in(tmp_path)) == 1
    with atomic_path(target) as part:
        part.write_text("new")
        # Beside one that is at work, another one writes to a file of its own.
        with atomic_path(target) as other:
            assert other != part
            other.write_text("newer")
    assert target.read_text() == "new"
    assert names_in(tmp_path) == ["d.csv"]


def test_a_second_signal_leaves_nothing_half_done(tmp_path):
    WRITERS["stopped twice"] = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGTERM)
    while True: pass
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGTERM)
    while True: pass
"""
    for folder in ((), ("--folder",)):
        ended = written("stopped twice", *folder, tmp_path / "d")
        assert ended.returncode == 75
        assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "opener", [new_folder, replaced_folder, lambda path: refilled_folder(path, "x")]
)
def test_a_folder_says_so_too(tmp_path, opener):
    with pytest.raises(NotWritten, match="No space left"), opener(tmp_path / "made"):
        raise OSError(28, "No space left on device")
    assert names_in(tmp_path) == []
