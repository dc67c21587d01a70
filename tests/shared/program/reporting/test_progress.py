"""Progress: plain lines where nobody watches, a bar on a terminal."""

import io

from shared.program.reporting.progress import report_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_the_end_is_one_plain_line():
    stream = io.StringIO()
    with report_progress("answering", 3, stream) as progress:
        progress.advance(2)
        progress.advance(note="loss 0.5")
    [line] = stream.getvalue().splitlines()
    assert line.startswith("answering: 3/3 in ")
    assert line.endswith("loss 0.5")
    assert "\x1b" not in line


def test_short_work_does_not_flood_a_log():
    stream = io.StringIO()
    with report_progress("answering", 1000, stream) as progress:
        for _ in range(999):
            progress.advance()
    assert len(stream.getvalue().splitlines()) <= 100


def test_a_terminal_gets_a_bar_with_count_and_note(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with report_progress("answering", 2, stream) as progress:
        progress.advance(2, note="loss 0.5")
    assert "2/2" in stream.getvalue()
    assert "loss 0.5" in stream.getvalue()


def test_work_of_unknown_length_is_counted():
    stream = Terminal()
    with report_progress("reading", None, stream) as progress:
        progress.advance(4)
    assert "reading" in stream.getvalue()


def test_what_was_done_before_does_not_count_as_speed(monkeypatch):
    times = iter([0.0, 20.0])
    monkeypatch.setattr("shared.program.reporting.progress.stopwatch", lambda: next(times))
    stream = io.StringIO()
    with report_progress("answering", 100, stream, done=80) as progress:
        progress.advance(10)
    assert stream.getvalue() == "answering: 90/100 in 20 s, about 20 s left\n"
