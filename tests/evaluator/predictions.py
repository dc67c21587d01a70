"""Small predictions for the evaluator's tests."""

from shared.records import Prediction, QAPair, pair_id


def predicted(
    answer: str,
    reference: str,
    *,
    question: str = "what color is the shoe",
    image: str = "a.jpg",
    grounding: float | None = None,
    broken: bool = False,
) -> Prediction:
    pair = QAPair(pair_id(image, question), question, reference, image)
    return Prediction(pair, answer, grounding=grounding, broken_image=broken)
