"""Data sets in the shapes in which they are published, of invented content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Published:
    """A data set's files by path, what it holds, and how its results are handed in.

    ``data`` is the file to read; ``pairs`` its questions, answers and images; ``image`` the file
    that the first of them is about; ``results`` answer the first pair rightly.
    """

    name: str
    files: Mapping[str, Any]
    data: str
    images: str
    image: str
    pairs: Sequence[tuple[str, str, str]]
    results: Any

    def write(self, folder: Path) -> Path:
        """Write the files below ``folder``; return the one to read."""
        for name, value in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value), encoding="utf-8")
        return folder / self.data


def _said(*answers: str) -> list[dict[str, object]]:
    return [
        {"answer": answer, "answer_confidence": "yes", "answer_id": place}
        for place, answer in enumerate(answers, start=1)
    ]


def _coco(questions: list[dict[str, object]]) -> dict[str, object]:
    return {
        "info": {"description": "invented", "version": "2.0", "year": 2014},
        "task_type": "Open-Ended",
        "data_type": "mscoco",
        "license": {"url": "https://example.org", "name": "none"},
        "data_subtype": "val2014",
        "questions": questions,
    }


_GQA = {
    "semantic": [{"operation": "select", "dependencies": [], "argument": "lid (1)"}],
    "entailed": [],
    "equivalent": ["5451384"],
    "question": "Is the lid dark?",
    "imageId": "2354786",
    "isBalanced": True,
    "groups": {"global": None, "local": "06-lid_dark"},
    "answer": "yes",
    "semanticStr": "select: lid (1)->verify color: dark [0]",
    "annotations": {"answer": {}, "question": {"2": "1"}, "fullAnswer": {"2": "1"}},
    "types": {"detailed": "verifyAttr", "semantic": "attr", "structural": "verify"},
    "fullAnswer": "Yes, the lid is dark.",
}

PUBLISHED = (
    Published(
        "VQA v2",
        {
            "v2_OpenEnded_mscoco_val2014_questions.json": _coco(
                [
                    {"image_id": 123456, "question": "Is it red?", "question_id": 123456000},
                    {"image_id": 123456, "question": "How many?", "question_id": 123456001},
                ]
            ),
            "v2_mscoco_val2014_annotations.json": {
                "data_subtype": "val2014",
                "annotations": [
                    {
                        "question_type": "how many",
                        "multiple_choice_answer": "2",
                        "answers": _said("2", "2", "3"),
                        "image_id": 123456,
                        "answer_type": "number",
                        "question_id": 123456001,
                    },
                    {
                        "question_type": "is it",
                        "multiple_choice_answer": "yes",
                        "answers": _said("no", "yes", "yes"),
                        "image_id": 123456,
                        "answer_type": "yes/no",
                        "question_id": 123456000,
                    },
                ],
            },
        },
        "v2_OpenEnded_mscoco_val2014_questions.json",
        "val2014",
        "COCO_val2014_000000123456.jpg",
        [("Is it red?", "yes", "123456"), ("How many?", "2", "123456")],
        [{"question_id": 123456000, "answer": "yes"}],
    ),
    Published(
        "VizWiz",
        {
            "val.json": [
                {
                    "image": "VizWiz_val_00000000.jpg",
                    "question": "What is this?",
                    "answers": _said("mug", "cup", "mug"),
                    "answer_type": "other",
                    "answerable": 1,
                }
            ]
        },
        "val.json",
        "val",
        "VizWiz_val_00000000.jpg",
        [("What is this?", "mug", "VizWiz_val_00000000.jpg")],
        [{"image": "VizWiz_val_00000000.jpg", "answer": "mug"}],
    ),
    Published(
        "OK-VQA",
        {
            "OpenEnded_mscoco_val2014_questions.json": _coco(
                [{"image_id": 297147, "question": "Who makes it?", "question_id": 2971475}]
            ),
            "mscoco_val2014_annotations.json": {
                "annotations": [
                    {
                        "image_id": 297147,
                        "answer_type": "other",
                        "question_type": "four",
                        "question_id": 2971475,
                        "answers": [
                            {**said, "raw_answer": "the potters"} for said in _said("potter")
                        ],
                        "confidence": 3,
                    }
                ],
                "question_types": {"four": "Objects"},
            },
        },
        "mscoco_val2014_annotations.json",
        "val2014",
        "COCO_val2014_000000297147.jpg",
        [("Who makes it?", "potter", "297147")],
        [{"question_id": 2971475, "answer": "potter"}],
    ),
    Published(
        "A-OKVQA",
        {
            "aokvqa_v1p0_val.json": [
                {
                    "split": "val",
                    "image_id": 461751,
                    "question_id": "22jbM6gDxdaMaunuzgrsBB",
                    "question": "What is in the bowl?",
                    "choices": ["soup", "stew", "salad", "ice"],
                    "correct_choice_idx": 1,
                    "direct_answers": ["stew", "stew", "soup"],
                    "difficult_direct_answer": False,
                    "rationales": ["It is thick."],
                }
            ]
        },
        "aokvqa_v1p0_val.json",
        "val2017",
        "000000461751.jpg",
        [("What is in the bowl?", "stew", "461751")],
        {"22jbM6gDxdaMaunuzgrsBB": {"multiple_choice": "soup", "direct_answer": "stew"}},
    ),
    Published(
        "GQA",
        {
            "val_balanced_questions.json": {
                "05451384": _GQA,
                "05451385": {**_GQA, "question": "What is on it?", "answer": "knob"},
            }
        },
        "val_balanced_questions.json",
        "images",
        "2354786.jpg",
        [("Is the lid dark?", "yes", "2354786"), ("What is on it?", "knob", "2354786")],
        [{"questionId": "05451384", "prediction": "yes"}],
    ),
    Published(
        "TextVQA",
        {
            "TextVQA_0.5.1_val.json": {
                "dataset_type": "val",
                "dataset_name": "textvqa",
                "dataset_version": "0.5.1",
                "data": [
                    {
                        "question": "what is the brand?",
                        "image_id": "003a8ae2ef43b901",
                        "image_classes": ["Box"],
                        "flickr_original_url": "https://example.org/o.jpg",
                        "flickr_300k_url": "https://example.org/z.jpg",
                        "image_width": 1024,
                        "image_height": 664,
                        "answers": ["northwind", "northwind", "north wind"],
                        "question_tokens": ["what", "is", "the", "brand"],
                        "question_id": 34602,
                        "set_name": "val",
                    }
                ],
            }
        },
        "TextVQA_0.5.1_val.json",
        "train_images",
        "003a8ae2ef43b901.jpg",
        [("what is the brand?", "northwind", "003a8ae2ef43b901")],
        [{"question_id": 34602, "image_id": "003a8ae2ef43b901", "answer": "northwind"}],
    ),
    Published(
        "DocVQA",
        {
            "val_v1.0_withQT.json": {
                "dataset_name": "SP-DocVQA",
                "dataset_version": "1.0",
                "dataset_split": "val",
                "data": [
                    {
                        "questionId": 49153,
                        "question": "What is the share?",
                        "question_types": ["figure/diagram"],
                        "image": "documents/pybv0228_81.png",
                        "docId": 14465,
                        "ucsf_document_id": "pybv0228",
                        "ucsf_document_page_no": "81",
                        "answers": ["0.28", "0.28%"],
                        "data_split": "val",
                    }
                ],
            }
        },
        "val_v1.0_withQT.json",
        "spdocvqa_images",
        "pybv0228_81.png",
        [("What is the share?", "0.28", "documents/pybv0228_81.png")],
        [{"questionId": 49153, "answer": "0.28"}],
    ),
    Published(
        "InfographicVQA",
        {
            "infographicsVQA_val_v1.0_withQT.json": {
                "dataset_name": "infographicVQA",
                "dataset_split": "val",
                "data": [
                    {
                        "questionId": 65718,
                        "question": "Which grows?",
                        "image_local_name": "38979.jpeg",
                        "image_url": "https://example.org/38979.jpg",
                        "ocr_output_file": "38979.json",
                        "answers": ["tea"],
                        "data_split": "val",
                        "answer_type": ["single span"],
                    }
                ],
            }
        },
        "infographicsVQA_val_v1.0_withQT.json",
        "images",
        "38979.jpeg",
        [("Which grows?", "tea", "38979.jpeg")],
        [{"questionId": 65718, "answer": "tea"}],
    ),
    Published(
        "SLAKE",
        {
            "test.json": [
                {
                    "img_id": 1,
                    "img_name": "xmlab1/source.jpg",
                    "question": question,
                    "answer": answer,
                    "q_lang": language,
                    "location": "Abdomen",
                    "modality": "MRI",
                    "answer_type": "OPEN",
                    "base_type": "vqa",
                    "content_type": "Modality",
                    "triple": ["vhead", "_", "_"],
                    "qid": number,
                }
                for number, (question, answer, language) in enumerate(
                    [("Which modality?", "MRI", "en"), ("什么成像?", "核磁共振", "zh")]
                )
            ]
        },
        "test.json",
        "imgs",
        "xmlab1/source.jpg",
        [
            ("Which modality?", "MRI", "xmlab1/source.jpg"),
            ("什么成像?", "核磁共振", "xmlab1/source.jpg"),
        ],
        [{"qid": 0, "answer": "MRI"}],
    ),
    Published(
        "VQA-RAD",
        {
            "VQA_RAD Dataset Public.json": [
                {
                    "qid": "0",
                    "phrase_type": "freeform",
                    "qid_linked_id": "03f451ca-de62-4617-9679-e836026a7642",
                    "image_case_url": "https://example.org/case/1",
                    "image_name": "synpic54610.jpg",
                    "image_organ": "HEAD",
                    "evaluation": "not evaluated",
                    "question": "How many are bright?",
                    "question_rephrase": "NULL",
                    "question_relation": "NULL",
                    "question_frame": "NULL",
                    "question_type": "COUNT",
                    "answer": 2,
                    "answer_type": "OPEN",
                }
            ]
        },
        "VQA_RAD Dataset Public.json",
        "images",
        "synpic54610.jpg",
        [("How many are bright?", "2", "synpic54610.jpg")],
        [{"qid": "0", "answer": "2"}],
    ),
    Published(
        "LLaVA",
        {
            "questions.json": [
                {"question_id": 7, "image": "a.jpg", "text": "Is it red?\nUse a single word."}
            ],
            "data.json": [
                {"question_id": 7, "image": "a.jpg", "question": "Is it red?", "answer": "Yes"}
            ],
        },
        "data.json",
        "images",
        "a.jpg",
        [("Is it red?", "Yes", "a.jpg")],
        [
            {
                "question_id": 7,
                "prompt": "Is it red?\nUse a single word.",
                "text": "Yes",
                "answer_id": "aaaa",
                "model_id": "llava-v1.5-13b",
                "metadata": {},
            }
        ],
    ),
)
