"""The log of a run: what a resumed run forgets, and what a killed one leaves."""

from trainer.fitting.training_log import TrainingLog
from trainer.training.loop import StepReport
from trainer.training.run_files import LOG_FILE


def written(folder):
    log = TrainingLog(folder)
    log.begin(0.25)
    for step, score in enumerate((0.5, 0.75), start=1):
        report = StepReport(step, loss=2.0, grad_norm=1.0, learning_rate=1e-3)
        log.add_step(report)
        log.add_epoch(step, report, score)
    return log


def test_it_tells_the_scores_of_the_base_and_of_every_epoch(tmp_path):
    log = written(tmp_path)
    assert log.base_exact_match() == 0.25
    assert log.held_out() == (0.5, 0.75)


def test_what_happens_again_is_forgotten(tmp_path):
    log = written(tmp_path)
    log.rewind(1)
    assert log.base_exact_match() == 0.25
    assert log.held_out() == (0.5,)


def test_a_last_line_that_was_cut_short_is_no_obstacle(tmp_path):
    log = written(tmp_path)
    with (tmp_path / LOG_FILE).open("a", encoding="utf-8") as file:
        file.write('{"event": "ep')
    assert log.held_out() == (0.5, 0.75)
    log.rewind(2)
    assert (tmp_path / LOG_FILE).read_text(encoding="utf-8").endswith("}\n")
    assert log.held_out() == (0.5, 0.75)


def test_where_nothing_was_logged_nothing_is_known(tmp_path):
    log = TrainingLog(tmp_path)
    assert log.base_exact_match() is None
    assert log.held_out() == ()
