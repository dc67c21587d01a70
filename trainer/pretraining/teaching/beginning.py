"""A taught run's network and lessons, out of a teacher and the lessons without one."""

from __future__ import annotations

from dataclasses import replace

from shared.program.reporting.event_log import EventLog
from trainer.data.gallery import ZOOM_MARGIN
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
    device, side = pictures.model.device, round(pictures.recipe.shape.image_size * ZOOM_MARGIN)
    maps = look_at(teacher.on(device), pictures.gallery.pictures_NCHW)
    sight = sight_of(maps)
    neighbours_NX = neighbours_of(mean_seen(maps, sight))
    pupil = Pupil(pictures.model, sight, maps, len(answers.texts)).to(device)
    average = WeightAverage(pupil, pictures.recipe.average_decay)
    # A copy's are apart in memory, which costs another copy at every call.
    average.model.reader.states.flatten_parameters()
    log.info("taught", teacher=pictures.recipe.teaching.teacher, answers=len(answers.texts))
    lessons = TaughtLessons(
        # As sharp as a model sees them later.
        pictures=replace(pictures, gallery=pictures.gallery.smaller(side)),
        pupil=pupil,
        taught=average.model,
        maps=maps,
        neighbours_NX=neighbours_NX,
        answers=answers,
    )
    return pupil, average, lessons
