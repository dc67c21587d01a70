"""A taught run's network and lessons, out of a teacher and the lessons without one."""

from __future__ import annotations

import torch

from shared.program.reporting.event_log import EventLog
from trainer.pretraining.average import WeightAverage
from trainer.pretraining.lessons import PictureLessons
from trainer.pretraining.teaching.advice import Answers, neighbours_of
from trainer.pretraining.teaching.lessons import TaughtLessons
from trainer.pretraining.teaching.maps import look_at, mean_seen, sight_of
from trainer.pretraining.teaching.pupil import Pupil
from trainer.pretraining.teaching.teacher import Teacher

log = EventLog(__name__)


def taught_by(
    teacher: Teacher, pictures: PictureLessons
) -> tuple[Pupil, WeightAverage[Pupil], TaughtLessons]:
    """Have the teacher look at all pictures; return what learns, its average and its lessons."""
    tokenizer = pictures.processor.tokenizer
    given = [pair.answer for pairs in pictures.gallery.questions for pair in pairs]
    answers = Answers.of(given, tokenizer)
    device = pictures.model.device
    maps = look_at(teacher.on(device), pictures.gallery.pictures_NCHW)
    sight = sight_of(maps)
    neighbours_NX = neighbours_of(mean_seen(maps, sight))
    sight = sight.to(device)
    seen = sight.of(*maps.cut(torch.tensor([0]), None, device))
    pupil = Pupil(pictures.model, seen, len(answers.texts), len(tokenizer)).to(device)
    average = WeightAverage(pupil, pictures.recipe.average_decay)
    log.info("taught", teacher=pictures.recipe.teaching.teacher, answers=len(answers.texts))
    lessons = TaughtLessons(
        pictures=pictures,
        pupil=pupil,
        taught=average.model,
        maps=maps,
        sight=sight,
        neighbours_NX=neighbours_NX,
        answers=answers,
    )
    return pupil, average, lessons
