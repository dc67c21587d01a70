import platform
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


pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's heap")


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    """Nobody says how glibc shall do it, or preloads another allocator."""
    names = ("TRIM_THRESHOLD_", "MMAP_THRESHOLD_", "ARENA_MAX")
    for name in ("GLIBC_TUNABLES", "LD_PRELOAD", *(f"MALLOC_{name}" for name in names)):
        monkeypatch.delenv(name, raising=False)


def run(how):
    command = [sys.executable, "-c", FAULTS, how]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_pages_are_asked_for_once():
    [given_back] = run("gives back")
    kept, faults = run("keeps")
    assert kept == "True"
    # 20 times 24 MiB in pages of 4 KiB, against a few.
    assert 10 * int(faults) < int(given_back)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ("MALLOC_ARENA_MAX", "2"),
        ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=131072"),
    ],
)
def test_who_starts_the_process_decides(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    kept, _ = run("keeps")
    assert kept == "False"


THREADS = """
import ctypes
import threading

from shared.program.process.freed_memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
keep_freed_memory()
together = threading.Barrier(16)


def decode():
    together.wait()
    held = [libc.malloc(3 * 2**20) for _ in range(16)]
    for block in held:
        libc.memset(block, 1, 3 * 2**20)
    together.wait()
    for block in held:
        libc.free(block)


threads = [threading.Thread(target=decode) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open("/proc/self/statm") as pages:
    print(int(pages.read().split()[1]) * 4096 // 2**20)
"""


def test_many_threads_do_not_each_keep_a_heap():
    command = [sys.executable, "-c", THREADS]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    # 16 heaps of 48 MiB were 768.
    assert int(ended.stdout) < 550
