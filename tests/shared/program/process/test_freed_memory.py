import subprocess
import sys

import pytest

FAULTS = """
import ctypes
import resource
import sys

from shared.program.process.freed_memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "keeps":
    print(keep_freed_memory())


def layer():
    held = [libc.malloc(3 * 2**20) for _ in range(8)]
    for block in held:
        libc.memset(block, 1, 3 * 2**20)
    for block in held:
        libc.free(block)


for _ in range(3):
    layer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    layer()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(*arguments, **environment):
    command = [sys.executable, "-c", FAULTS, *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment or None
    )
    return ended.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_pages_are_asked_for_once():
    [given_back] = run("gives back")
    kept, faults = run("keeps")
    assert kept == "True"
    # 20 times 24 MiB in pages of 4 KiB, against a few.
    assert 10 * int(faults) < int(given_back)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072"),
    ],
)
def test_who_starts_the_process_decides(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    kept, _ = run("keeps")
    assert kept == "False"
