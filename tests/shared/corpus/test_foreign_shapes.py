"""Shapes of files that tools and data sets have: spreadsheets, conversations, multiple choice."""

import gzip
import json

import pytest
from structlog.testing import capture_logs

from shared.corpus import parse_columns, read_pairs, read_prediction_table, read_questions
from shared.dataset.check import check_data
from shared.errors import InputError
from shared.images.source import ImageFolder

TABLE = "question,answer,prediction,image\nhow long,6,6,a.jpg\n"
ROW = {"question": "how long", "answer": "6", "image": "a.jpg"}


def written(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_json(path, value):
    return written(path, json.dumps(value))


def texts_of(pairs):
    return [(pair.question, pair.answer, pair.filename) for pair in pairs]


@pytest.mark.parametrize("told", ["sep=;\r\n", '"sep=;"\r\n', "\ufeffsep=;;;;\r\n"])
def test_the_separator_that_excel_is_told_is_no_header(tmp_path, told):
    text = told + "question;answer;image\r\nhow long;0,5;a.jpg\r\nhow, then;2;b.jpg\r\n"
    pairs = read_pairs(written(tmp_path / "a.csv", text))
    assert texts_of(pairs) == [("how long", "0,5", "a.jpg"), ("how, then", "2", "b.jpg")]


def test_a_quoted_cell_may_stand_behind_a_space(tmp_path):
    text = 'question, answer, image\nwhich, "red, blue", a.jpg\n'
    assert texts_of(read_pairs(written(tmp_path / "a.csv", text))) == [
        ("which", "red, blue", "a.jpg")
    ]


@pytest.mark.parametrize(
    ("name", "content", "way_out"),
    [
        ("a.csv.gz", gzip.compress(TABLE.encode(), mtime=0), "is compressed; unpack it first"),
        ("a.csv", gzip.compress(TABLE.encode(), mtime=0), "is compressed; unpack it first"),
        ("a.csv", b"PAR1\0\0", "is Parquet; call it .parquet"),
        ("a.xlsx", b"PK\x03\x04\x14\0", r"is an Excel sheet or .* as .csv"),
        ("a.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("a.jsonl", "<!DOCTYPE html><html></html>", "web page"),
        ("a.csv", json.dumps([ROW]), "holds JSON; call it .json"),
        ("a.tsv", "\ufeff" + json.dumps(ROW), "holds JSON; call it .jsonl"),
        ("a.csv", "", "is empty"),
        ("a.csv", " \n\n", "is empty"),
        ("a.json", "[]", "is empty"),
        ("a.jsonl", "", "is empty"),
    ],
)
def test_what_a_file_really_is_is_told(tmp_path, name, content, way_out):
    path = written(tmp_path / name, content)
    for read in (read_pairs, read_prediction_table, read_questions):
        with pytest.raises(InputError, match=way_out) as raised:
            read(path)
        assert str(raised.value).startswith(f"{path}: ")


def test_json_by_split_and_by_column_are_rows(tmp_path):
    path = as_json(tmp_path / "a.json", {"train": [ROW], "dev": [{**ROW, "image": "b.jpg"}]})
    assert [(pair.filename, pair.split) for pair in read_pairs(path)] == [
        ("a.jpg", "train"),
        ("b.jpg", "validation"),
    ]
    columns = {"question": ["q", "r"], "answer": ["1", "2"], "image": ["a", "b"]}
    assert texts_of(read_pairs(as_json(tmp_path / "b.json", columns))) == [
        ("q", "1", "a"),
        ("r", "2", "b"),
    ]
    with pytest.raises(InputError, match="each row must be one JSON object"):
        read_pairs(as_json(tmp_path / "c.json", {"train": ["a"], "test": [1]}))


def test_half_a_character_is_no_traceback(tmp_path):
    lines = r'{"question": "which \ud83d", "answer": ["\ude00"], "image": "\ud83d\ude00.jpg"}'
    [pair] = read_pairs(written(tmp_path / "a.jsonl", lines))
    assert (pair.question, pair.answer) == ("which \ufffd", "\ufffd")
    assert pair.filename == "\U0001f600.jpg"


LLAVA = {
    "id": "1",
    "image": "a.jpg",
    "conversations": [
        {"from": "system", "value": "be brief"},
        {"from": "human", "value": "<image>\nWhat is it?"},
        {"from": "gpt", "value": "a mug"},
        {"from": "human", "value": "Which colour?\n<image>"},
        {"from": "gpt", "value": "red"},
        {"from": "human", "value": "never answered"},
    ],
}
MESSAGES = {
    "images": ["a.jpg"],
    "messages": [
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}],
        },
        {"role": "assistant", "content": "a mug"},
        {"role": "user", "content": "Which colour?"},
        {"role": "assistant", "content": [{"type": "text", "text": "red"}]},
    ],
}


@pytest.mark.parametrize("row", [LLAVA, MESSAGES], ids=["llava", "messages"])
def test_each_answered_question_of_a_conversation_is_a_row(tmp_path, row):
    with capture_logs() as logs:
        pairs = read_pairs(as_json(tmp_path / "a.json", [row]))
    assert texts_of(pairs) == [("What is it?", "a mug", "a.jpg"), ("Which colour?", "red", "a.jpg")]
    [told] = [log for log in logs if log["event"] == "conversations_unfolded"]
    assert (told["conversations"], told["rows"]) == (1, 2)


def test_a_reply_beside_its_judged_answer_is_no_reference(tmp_path):
    row = {"messages": MESSAGES["messages"], "response": "red", "labels": "blue"}
    path = as_json(tmp_path / "a.json", [row])
    with pytest.raises(InputError, match="no column answer"):
        read_prediction_table(path)
    [judged] = read_prediction_table(path, parse_columns("answer=labels")).predictions
    assert (judged.answer, judged.pair.answer) == ("red", "blue")


def choice_rows(*answers, choices=("north", "south"), **more):
    return [
        {"question": f"q{n}", "choices": list(choices), "answer": answer, "image": "a.jpg", **more}
        for n, answer in enumerate(answers)
    ]


def test_the_place_of_a_choice_is_the_choice(tmp_path):
    path = as_json(tmp_path / "a.json", choice_rows(0, 1, -1))
    with capture_logs() as logs:
        assert [pair.answer for pair in read_pairs(path)] == ["north", "south"]
    assert {log.get("such_as") for log in logs} >= {"0: north"}
    as_written = read_pairs(path, parse_columns("choices="))
    assert [pair.answer for pair in as_written] == ["0", "1", "-1"]
    text = "question,choices,answer,image\nq,\"['x' 'y']\",1,a.jpg\n"
    assert [pair.answer for pair in read_pairs(written(tmp_path / "a.csv", text))] == ["y"]


@pytest.mark.parametrize(
    "rows",
    [
        choice_rows("2", "1", choices=("1", "2")),
        choice_rows("1", "north"),
        choice_rows("2", "1"),
        choice_rows("B", "A"),
        choice_rows(1, 0, prediction="1"),
    ],
    ids=["choices", "a-text", "beyond", "letters", "predicted-places"],
)
def test_an_answer_that_may_be_meant_stays_as_it_is(tmp_path, rows):
    pairs = [
        prediction.pair
        for prediction in read_prediction_table(
            as_json(tmp_path / "a.json", [{"prediction": "x", **row} for row in rows])
        ).predictions
    ]
    assert [pair.answer for pair in pairs] == [str(row["answer"]) for row in rows]


def test_fields_go_by_the_names_of_columns_too():
    named = parse_columns("Image=photo, ground_truth=gt, PRED=out")
    assert named == {"filename": "photo", "answer": "gt", "prediction": "out"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("answer=a,answer=b", "'answer' twice"),
        ("answer=a,reference=b", "answer, reference are one field"),
        ("answer=question,prediction=question", "cannot be both the answer and the prediction"),
    ],
)
def test_a_field_has_one_column(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_prediction_table(written(tmp_path / "a.csv", TABLE), parse_columns(text))


def test_boxes_in_pixels_can_be_left_out(tmp_path):
    path = as_json(tmp_path / "a.json", [{**ROW, "boxes": [[10, 20, 300, 400]]}])
    with pytest.raises(InputError, match="--columns boxes= does without"):
        read_pairs(path)
    assert read_pairs(path, parse_columns("boxes="))[0].boxes == ()


def test_an_image_of_an_impossible_name_is_missing(tmp_path):
    rows = [{**ROW, "image": "a\0.jpg"}, {**ROW, "image": "b" * 400 + ".jpg"}]
    pairs = read_pairs(as_json(tmp_path / "a.json", rows))
    assert check_data(pairs, tmp_path).missing_images == 2
    assert not any(ImageFolder(tmp_path).has(pair.filename) for pair in pairs)


def scored(path):
    predictions = read_prediction_table(path).predictions
    return [(prediction.pair.answer, prediction.answer) for prediction in predictions]


def test_what_pandas_wrote_as_text_reads_as_its_values_do(tmp_path):
    text = "question,answer,prediction,image\n{}"
    numbers = "q,2.0,2,a\nq,,1,a\nq,-3.0,3.0,a\nq,4.0,four,a\n"
    assert scored(written(tmp_path / "a.csv", text.format(numbers))) == [
        ("2", "2"),
        ("-3", "3"),
        ("4", "four"),
    ]
    truths = "q,True,yes,a\nq,False,false,a\nq,True,True it is,a\n"
    assert scored(written(tmp_path / "b.csv", text.format(truths))) == [
        ("yes", "yes"),
        ("no", "no"),
        ("yes", "True it is"),
    ]
    mixed = "q,2.0,2,a\nq,True,yes,a\nq,v2.0,v2.0,a\n"
    assert scored(written(tmp_path / "c.csv", text.format(mixed))) == [
        ("2.0", "2"),
        ("True", "yes"),
        ("v2.0", "v2.0"),
    ]


def vqa_lists(*ids, answered):
    questions = [{"question_id": i, "image_id": 9, "question": f"q{i}"} for i in ids]
    annotations = [{"question_id": i, "answers": [f"a{i}"]} for i in answered]
    return {"questions": questions, "annotations": annotations}


def test_lists_are_joined_by_ids_however_these_are_written(tmp_path):
    path = as_json(tmp_path / "a.json", vqa_lists(1, "2", answered=["1", 2.0]))
    assert [(pair.question, pair.answer[:2]) for pair in read_pairs(path)] == [
        ("q1", "a1"),
        ("q2", "a2"),
    ]
    with pytest.raises(InputError, match="no column answer"):
        read_pairs(as_json(tmp_path / "b.json", vqa_lists(None, None, answered=[None])))
    with pytest.raises(InputError, match=r"b.json: cannot be read \(holds \[1, 2\]"):
        read_pairs(as_json(tmp_path / "b.json", vqa_lists([1, 2], answered=[[1, 2]])))


def test_a_broken_file_beside_is_blamed_itself(tmp_path):
    path = as_json(tmp_path / "a_questions.json", {"questions": [{"question_id": 1}]})
    written(tmp_path / "a_annotations.json", '{"annotations": [')
    with pytest.raises(InputError, match=r"a_annotations\.json, which lies beside it: Expecting"):
        read_pairs(path)
