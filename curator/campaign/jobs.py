"""What a job asks for, and what the reply to it is worth."""

from __future__ import annotations

from curator.annotators.annotator import Reply
from curator.annotators.image_encoding import Photo
from curator.annotators.prompt import Prompt, Request
from curator.campaign.queue import Job
from curator.judging.judge import Judgement, judge, judge_answer
from curator.ledger import PairItem


def request_about(item: Job, photo: Photo, prompt: Prompt) -> Request:
    """Return the request for an image's questions, or for a second opinion on one answer."""
    if isinstance(item, PairItem):
        return prompt.question_request(item.question, photo.jpeg, photo.longest_px)
    return prompt.request(item.listing.metadata, photo.jpeg, photo.longest_px)


def judged(item: Job, reply: Reply, prompt: Prompt) -> Judgement:
    """Return what a reply to such a request is worth."""
    if isinstance(item, PairItem):
        return judge_answer(reply)
    return judge(
        reply,
        questions=prompt.questions,
        answer_words=prompt.answer_words,
        metadata=item.listing.metadata,
    )
