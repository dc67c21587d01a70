"""The records that the parts hand to each other: frozen, and valid once built."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final, Literal

from shared.records.boxes import Box
from shared.value_class import value_class

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SPLIT_WORDS: Final[Mapping[str, Split]] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
"""What people call a split, in any case and with a year such as that of val2014."""

COLUMN_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "pair_id", "question_id", "qid", "question_index", "doc_id", "index"),
    "question": ("question", "question_text", "query", "prompt", "input"),
    "answer": (
        *("answer", "reference", "reference_answer", "ground_truth", "ground_truth_answer"),
        *("gt", "gt_answer", "multiple_choice_answer", "correct_answer", "expected_answer"),
        *("target", "label"),
    ),
    "answers": ("answers", "direct_answers", "references", "reference_answers", "ground_truths"),
    "choices": ("choices", "options", "answer_choices"),
    "filename": (
        *("filename", "file_name", "image_name", "image_filename", "image_file", "img_name"),
        "image_local_name",
        *("img_filename", "image_path", "img_path", "path", "image_id", "img_id", "image", "img"),
        *("images", "input_media"),
    ),
    "prediction": (
        *("prediction", "generated_answer", "predicted_answer", "pred", "pred_answer"),
        *("predicted", "model_answer", "model_prediction", "response", "model_response"),
        *("model_output", "generated_text", "filtered_resps", "output"),
    ),
    "split": ("split", "data_split", "set_name"),
    "difficulty": ("difficulty",),
    "model": ("model",),
    "prompt_version": ("prompt_version",),
    "listing_id": ("listing_id",),
    # The wider one first: variants of a product are one product.
    "product": (
        *("parent_sku", "parent_asin", "parent_id", "item_group_id", "product_group_id"),
        *("product_id", "product_handle", "product_code", "product", "handle"),
        *("style_id", "article_id", "pid", "item_id", "asin", "sku"),
    ),
    "unit_id": ("unit_id",),
    "trained_on": ("trained_on",),
    "pretrained_on": ("pretrained_on",),
    "agreement": ("agreement",),
    "domain": ("domain", "adapter"),
    "second_answer": ("second_answer",),
    "second_opinion": ("second_opinion",),
    "label_review": ("label_review",),
    "label_before_review": ("label_before_review",),
    "label_sample": ("label_sample",),
    "confidence": ("confidence",),
    "grounding": ("grounding",),
    "broken_image": ("broken_image",),
    "failure": ("failure",),
    "answer_review": ("answer_review",),
    "attention": ("attention",),
    "boxes": ("boxes",),
    "grounding_boxes": ("grounding_boxes",),
}
"""Names that a column may carry, any case, most specific first."""

LABEL_REVIEWS: Final = ("accepted", "corrected", "rejected", "disputed")
"""What people say of an answer, in ``label_review``."""
ANSWER_REVIEWS: Final = ("right", "wrong")
"""What people say of a model's answer, in ``answer_review``."""
NO_RIGHT_ANSWER: Final = frozenset({"rejected", "disputed"})
"""What people say of pairs whose right answer is not known, if there is one."""
WHOLE_SAMPLE: Final = "whole"
WITHOUT_REJECTED: Final = "without rejected"
"""What marks a sample whose pairs without a right answer are not among the rows."""
LABEL_SAMPLES: Final = (WHOLE_SAMPLE, WITHOUT_REJECTED)
"""What ``label_sample`` says of a pair that was drawn fairly."""
_ROUNDING: Final = 1e-6
_UNNAMED: Final = re.compile(r"row \d+")


@value_class
class ImageRef:
    """An image by id and by path below the images folder; never its bytes."""

    image_id: str
    path: str

    def __post_init__(self) -> None:
        if not self.image_id or not self.path:
            raise ValueError(f"an image needs an id and a path, got {self!r}")


@value_class
class Listing:
    """A product record: one image and what the catalogue says about it.

    ``metadata`` maps a field's name to its text, in the catalogue's order. ``product`` is what this
    listing is a variant of, where the catalogue tells; listings of one product are not independent.
    """

    listing_id: str
    image: ImageRef
    metadata: Mapping[str, str] = field(default_factory=dict)
    product: str = ""

    def __post_init__(self) -> None:
        if not self.listing_id:
            raise ValueError("a listing needs an id")


@value_class
class Provenance:
    """Where a pair came from; empty strings where the data does not say."""

    model: str = ""
    prompt_version: str = ""
    listing_id: str = ""


@value_class
class QAPair:
    """A question, its reference answer and the image (path below the images folder).

    ``answers`` holds what several people said, where the data has it, ``answer`` among them.
    ``difficulty`` is the annotator's word ("easy", "medium", "hard") or empty. ``agreement`` is
    what the listing says to the answer ("agrees", "disagrees", "unknown"), empty if nobody asked.
    ``second_answer`` is what the annotator said when the question alone was sent back, and
    ``second_opinion`` ("agrees", "disagrees") whether that is the same; empty if it was not.
    ``label_review`` is what people say of the answer ("accepted", "corrected", "rejected",
    "disputed"), empty if nobody looked; ``label_before_review`` the answer that they corrected.
    ``label_sample`` marks the rows that were drawn fairly for that: "whole" where all that were
    drawn are among the rows, "without rejected" where those without a right answer were left out.
    ``domain`` names the source of the question or image, such as a catalogue, where the data does.
    ``boxes`` say where in the picture the question's object is; empty where the data does not.
    ``product`` is the product that the picture shows, as the data names it. ``unit_id`` is what
    ``shared.dataset.units`` made of products and pictures; rows that share one are not independent.
    ``trained_on`` marks a row about what the model that answers it was trained on, and
    ``pretrained_on`` about what only the base under it was pretrained on. ``extra`` has what its
    prompt asked for besides, by the names of columns.
    """

    id: str
    question: str
    answer: str
    filename: str
    split: Split | None = None
    difficulty: str = ""
    provenance: Provenance = Provenance()
    agreement: str = ""
    answers: tuple[str, ...] = ()
    second_answer: str = ""
    second_opinion: str = ""
    label_review: str = ""
    label_before_review: str = ""
    label_sample: str = ""
    boxes: tuple[Box, ...] = ()
    domain: str = ""
    product: str = ""
    unit_id: str = ""
    trained_on: bool = False
    pretrained_on: bool = False
    extra: tuple[tuple[str, str | int | float | bool | None], ...] = ()

    @property
    def names_image(self) -> bool:
        """Tell whether the data names the image; where not, each row stands for its own."""
        return _UNNAMED.fullmatch(self.filename) is None

    @property
    def asks(self) -> str:
        """Return the question; "" where the data has none, and its row's number stands for it."""
        return "" if _UNNAMED.fullmatch(self.question) else self.question

    @property
    def first_label(self) -> str:
        """Return the answer as it was before people looked at it."""
        return self.label_before_review or self.answer

    @property
    def has_right_answer(self) -> bool:
        """Tell whether the answer may be right: people did not say that there is none."""
        return self.label_review not in NO_RIGHT_ANSWER

    @property
    def references(self) -> tuple[str, ...]:
        """Return every reference answer, one for each person who was asked."""
        return self.answers or (self.answer,)

    def __post_init__(self) -> None:
        if not self.question.strip() or not self.answer.strip():
            raise ValueError(f"pair {self.id!r} lacks a question or an answer")
        if not self.filename:
            raise ValueError(f"pair {self.id!r} names no image")


def is_unicode(text: str) -> bool:
    """Return whether a text has whole characters alone, which is all that a tokenizer takes."""
    return all(not "\ud800" <= character <= "\udfff" for character in text)


def as_unicode(text: str) -> str:
    r"""Return a text that can be written: half of a character, cut in two, is U+FFFD.

    >>> as_unicode("re\ud800d") == "re\ufffdd"
    True
    """
    if is_unicode(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@value_class
class Question:
    """A question about an image, without its answer: all that a model may see.

    ``domain`` decides which of several adapters answers. ``view`` says how the picture is shown,
    see ``evaluator.robustness``: as it is where it is empty.
    """

    id: str
    text: str
    filename: str
    domain: str = ""
    view: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip() or not self.filename:
            raise ValueError(f"question {self.id!r} lacks its text or its image")


@value_class
class Prediction:
    """A model's answer to one pair, with the scores that only the model can give.

    ``confidence`` is the probability of the answer under greedy decoding, in [0, 1]; in a file of
    someone else's it may be another number, so figures take ``probability``.
    ``grounding`` is VTGS's visual term in [0, 1], ``grounding_boxes`` the same against the pair's
    boxes. Each is ``None`` where it was not asked for, the last also where there are no boxes.
    ``broken_image`` marks an answer that stands for an image that could not be read, ``failure``
    says why there is none where a model that is asked over a network gave none. ``attention`` is
    where the model looked, packed by the evaluator; empty where nobody asked. ``answer_review`` is
    what people say of the answer itself ("right", "wrong"), empty where nobody looked at it.
    """

    pair: QAPair
    answer: str
    confidence: float | None = None
    grounding: float | None = None
    broken_image: bool = False
    attention: bytes = b""
    grounding_boxes: float | None = None
    failure: str = ""
    answer_review: str = ""

    @property
    def probability(self) -> float | None:
        """Return the confidence, for figures; ``None`` where it is no number from 0 to 1."""
        return share_of(self.confidence)

    @property
    def is_unanswered(self) -> bool:
        """Whether the answer stands for one that never came; it is never right."""
        return self.broken_image or bool(self.failure)


def share_of(number: float | None) -> float | None:
    """Return a number as a share of 1; ``None`` where it is none, but for what rounding adds.

    >>> share_of(0.5), share_of(1.0000001), share_of(17), share_of(float("nan"))
    (0.5, 1.0, None, None)
    """
    if number is None or not -_ROUNDING <= number <= 1 + _ROUNDING:
        return None
    return min(max(number, 0.0), 1.0)


def unnamed_image(row: int) -> str:
    """Return what stands for the image of a row that names none, see ``QAPair.names_image``."""
    return f"row {row}"


def pair_id(filename: str, question: str) -> str:
    """Return the stable id of a question about an image: 16 hexadecimal digits of SHA-256."""
    return pair_ids([filename], [question])[0]


def pair_ids(filenames: Iterable[str], questions: Iterable[str]) -> list[str]:
    """Return the stable ids of many, in four fifths of the time."""
    return [
        hashlib.sha256(f"{filename}\0{question}".encode()).hexdigest()[:16]
        for filename, question in zip(filenames, questions, strict=True)
    ]
