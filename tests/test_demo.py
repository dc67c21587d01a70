"""``make demo`` stops at a signal as the commands do, with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from shared.program.stopping import SIGNALS


@pytest.mark.parametrize("number", SIGNALS)
def test_one_signal_ends_the_demo_in_good_order(tmp_path, number):
    pytest.importorskip("easy_vqa", reason="the extra `demo` is not installed")
    words = [sys.executable, "-m", "shared.demo", "--out", str(tmp_path / "run"), "--images", "50"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as demo:
        try:
            heard = ""
            while "$ curator run" not in heard:
                line = demo.stderr.readline()
                assert line, heard
                heard += line
            demo.send_signal(number)
            # It ends once whatever was started has closed the streams as well.
            _, heard = demo.communicate(timeout=60)
        finally:
            demo.kill()
    assert demo.returncode == 75, heard
    assert "Traceback" not in heard
    assert "Rehearsal over: " in heard
    assert heard.endswith("demo: stopped; run the same command again to go on\n")


def test_two_signals_end_the_demo_with_all_that_it_started(tmp_path):
    pytest.importorskip("easy_vqa", reason="the extra `demo` is not installed")
    words = [sys.executable, "-m", "shared.demo", "--out", str(tmp_path / "run"), "--images", "50"]
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, start_new_session=True, **pipes) as demo:
        try:
            while "$ curator run" not in (line := demo.stderr.readline()):
                assert line
            time.sleep(0.5)  # the line stands before the program is started
            demo.send_signal(signal.SIGTERM)
            time.sleep(0.15)
            demo.send_signal(signal.SIGTERM)
            # The streams are closed once nothing that was started is left.
            demo.communicate(timeout=20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGKILL)
    assert demo.returncode == 75
