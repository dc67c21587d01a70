"""An interrupt while torch is imported: the import ends first, and the next call finds it whole."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TORCH = """
import signal
signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGINT)
whole = True
"""
CALLED_TWICE = """
import signal, time
import shared
try:
    import torch
    time.sleep(600)
    print("not interrupted")
except KeyboardInterrupt:
    print("interrupted")
import torch
print(torch.whole, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
OF_A_PROGRAM = """
import signal, sys
import shared
signal.signal(signal.SIGINT, lambda *_: sys.exit(75))
import torch
"""


def ran(tmp_path, script):
    (tmp_path / "torch.py").write_text(TORCH)
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{script}"
    words = [sys.executable, "-c", script]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_an_interrupted_import_ends_first(tmp_path):
    """Then the interrupt comes, in the midst of a sleep too."""
    ended = ran(tmp_path, CALLED_TWICE)
    assert ended.stdout.split() == ["interrupted", "True", "True"], ended.stderr


def test_a_program_with_a_handler_of_its_own_ends_at_once(tmp_path):
    assert ran(tmp_path, OF_A_PROGRAM).returncode == 75
