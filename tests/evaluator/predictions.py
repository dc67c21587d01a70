"""Small predictions for the evaluator's tests."""

from shared.records import Prediction, QAPair, pair_id
from shared.records.boxes import Box


def predicted(
    answer: str,
    reference: str,
    *,
    question: str = "what color is the shoe",
    image: str = "a.jpg",
    grounding: float | None = None,
    broken: bool = False,
    boxes: tuple[Box, ...] = (),
    grounding_boxes: float | None = None,
) -> Prediction:
    pair = QAPair(pair_id(image, question), question, reference, image, boxes=boxes)
    return Prediction(
        pair,
        answer,
        grounding=grounding,
        broken_image=broken,
        grounding_boxes=grounding_boxes,
    )
