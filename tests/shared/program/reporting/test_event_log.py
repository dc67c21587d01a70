"""Where events go in a process that set nothing up."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys, io
from shared.program.reporting.event_log import EventLog
log = EventLog("curator.any")
log.info("a_thing_happened", count=3)
kept, sys.stderr = sys.stderr, io.StringIO()
log.warning("another_thing")
told = sys.stderr.getvalue()
sys.stderr = kept
print(int("another_thing" in told))
"""


def test_events_go_to_standard_error_where_nothing_was_set_up():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
    assert "a_thing_happened" in ran.stderr
    assert "count" in ran.stderr
