"""The next command is one line that a shell takes, whatever a path holds."""

import os
import subprocess

from shared.program.command_line.next_step import tell_next

WORDS = ["it's", "two\nlines", "a\r\tb\\n'c", "\x1b[2J7", "separated\u2028by", "Bücher", "\udcff0"]


def test_a_shell_reads_back_what_was_meant_from_one_line(capsys):
    tell_next("printf", r"%s\0", *WORDS)
    told = capsys.readouterr().err
    assert told.splitlines() == [told.rstrip("\n")]
    command = told.removeprefix("next: ")
    utf8 = {**os.environ, "LC_ALL": "C.UTF-8"}
    read = subprocess.run(["bash", "-c", command], env=utf8, capture_output=True, check=True)
    assert read.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in WORDS]
