"""Data and predictions as other people, harnesses and libraries write them."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from shared.corpus import (
    parse_columns,
    read_pair_table,
    read_pairs,
    read_prediction_table,
    read_predictions,
    read_questions,
    write_csv_rows,
)
from shared.errors import InputError

ROWS = [
    {"question": "what is it", "answer": "mug", "filename": "1.png"},
    {"question": "how many", "answer": "2", "filename": "2.png"},
]


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def jsonl(path, *rows):
    return written(path, "\n".join(json.dumps(row) for row in rows))


def texts_of(pairs):
    return [(pair.question, pair.answer, pair.filename) for pair in pairs]


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        {"data": ROWS},
        {"info": {"version": 1}, "questions": ROWS},
        {"rows": [{"row_idx": n, "row": row} for n, row in enumerate(ROWS)]},
        {"columns": list(ROWS[0]), "index": [0, 1], "data": [list(row.values()) for row in ROWS]},
        {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]},
        {"q-7": ROWS[0], "q-8": ROWS[1]},
    ],
    ids=["array", "data", "questions", "viewer", "split", "columns", "by-id"],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_is_read_in_its_usual_shapes(tmp_path, value, indent):
    path = written(tmp_path / "a.json", json.dumps(value, indent=indent))
    assert texts_of(read_pairs(path)) == texts_of(read_pairs(jsonl(tmp_path / "b.jsonl", *ROWS)))
    assert texts_of(read_pairs(path.rename(tmp_path / "a.jsonl"))) == texts_of(
        read_pairs(tmp_path / "b.jsonl")
    )


def test_json_lines_may_be_called_json(tmp_path):
    assert len(read_pairs(jsonl(tmp_path / "a.json", *ROWS))) == 2


def test_rows_that_are_lists_need_the_names_of_their_places(tmp_path):
    path = written(tmp_path / "a.json", json.dumps([["is it red?", "no", 3], ["what", "cup", 4]]))
    with pytest.raises(InputError, match=r"lists without names: .* --columns, such as question=0"):
        read_pairs(path)
    pairs = read_pairs(path, parse_columns("question=0, answer=1, filename=2"))
    assert texts_of(pairs) == [("is it red?", "no", "3"), ("what", "cup", "4")]


def vqa_v2(folder, start="v2_OpenEnded_mscoco_val2014", name="v2_mscoco_val2014"):
    questions = [{"question_id": n, "image_id": 9, "question": f"q{n}"} for n in (1, 2)]
    answers = [
        {"question_id": n, "image_id": 9, "answers": [{"answer": a, "answer_id": 1}]}
        for n, a in ((2, "two"), (1, "one"))
    ]
    asked = written(folder / f"{start}_questions.json", json.dumps({"questions": questions}))
    told = written(folder / f"{name}_annotations.json", json.dumps({"annotations": answers}))
    return asked, told


def test_questions_and_annotations_that_lie_together_are_joined(tmp_path):
    for path in vqa_v2(tmp_path):
        assert texts_of(read_pairs(path)) == [("q1", "one", "9"), ("q2", "two", "9")]


def test_questions_alone_are_told_where_their_annotations_belong(tmp_path):
    asked, told = vqa_v2(tmp_path)
    told.unlink()
    with pytest.raises(InputError, match="put it beside this one as v2_mscoco_val2014_annot"):
        read_pairs(asked)
    assert [question.text for question in read_questions(asked).questions] == ["q1", "q2"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_separator_and_mark_of_byte_order_is_read(tmp_path, separator, encoding):
    lines = ["Image Name;Question;Answer", 'a.png;"how many, then";"1;2"', "b.png;was heißt;ü"]
    # The separator within quotes stays.
    text = "\n".join(lines).replace(";", separator)
    pairs = read_pairs(written(tmp_path / "a.csv", text, encoding))
    assert texts_of(pairs) == [
        ("how many, then", f"1{separator}2", "a.png"),
        ("was heißt", "ü", "b.png"),
    ]


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        ("question,answer,filename\ncafé,é,a.png\n".encode("latin-1"), "save it so"),
        ("question,answer,filename\n".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (b'question,answer,filename\nq,a,f\nq,"a,f\nq,a,f\n', "row 2: a quotation mark opens"),
    ],
)
def test_text_that_would_be_misread_is_told(tmp_path, content, way_out):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=way_out):
        read_pairs(tmp_path / "a.csv")


def test_cells_may_be_of_any_length(tmp_path):
    path = written(tmp_path / "a.csv", f"question,answer,prediction\nq,mug,{'mug ' * 80_000}\n")
    assert len(read_predictions(path)[0].answer) == 4 * 80_000 - 1


def test_rows_with_more_cells_than_the_header_are_left_out_and_counted(tmp_path):
    text = "question,answer,filename\nq,a,1.png\nis it, or not,a,2.png\nq,b,3.png,,\nq,c,4.png\n"
    with capture_logs() as logs:
        pairs = read_pairs(written(tmp_path / "a.csv", text))
    assert [pair.answer for pair in pairs] == ["a", "b", "c"]
    [told] = logs
    assert (told["rows"], told["first_row"]) == (1, 2)
    assert told["reason"] == "more cells than the header"


def test_a_row_that_was_cut_short_is_no_wrong_answer(tmp_path):
    text = "question,answer,prediction\nq,red,red\nq,blue\n"
    table = read_prediction_table(written(tmp_path / "a.csv", text))
    assert [p.answer for p in table.predictions] == ["red"]
    assert [(row.row, row.reason) for row in table.left_out] == [(2, "fewer cells than the header")]


@pytest.mark.parametrize("gap", ["question", "answer", "filename"])
@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan"), []])
def test_rows_that_lack_something_are_left_out_with_their_number(tmp_path, gap, nothing):
    path = jsonl(tmp_path / "a.jsonl", ROWS[0], ROWS[1] | {gap: nothing}, ROWS[1])
    table = read_pair_table(path)
    assert len(table.pairs) == 2
    what = "image name" if gap == "filename" else gap
    assert [(row.row, row.reason) for row in table.left_out] == [(2, f"no {what}")]
    if gap != "answer":
        assert len(read_questions(path).questions) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (2.5, "2.5"),
        (True, "yes"),
        (False, "no"),
        (["red"], "red"),
        ([["red"]], "red"),
        ({"answer": "red", "confidence": "yes"}, "red"),
        ({"text": ["red"], "start": [4]}, "red"),
        ("['red']", "red"),
        ("none", "none"),
    ],
)
def test_each_type_of_an_answer_has_its_text(tmp_path, value, text):
    path = jsonl(tmp_path / "a.jsonl", ROWS[0] | {"answer": value, "prediction": "x"})
    assert read_pairs(path)[0].answer == text
    assert read_predictions(path)[0].pair.answer == text


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (date(2024, 1, 2), pa.date32(), "2024-01-02"),
        (datetime(2024, 1, 2), pa.timestamp("ns"), "2024-01-02"),  # noqa: DTZ001 (as pandas reads)
        (
            datetime(2024, 1, 2, 3, tzinfo=UTC),
            pa.timestamp("s", "UTC"),
            "2024-01-02T03:00:00+00:00",
        ),
        (Decimal("2.50"), pa.decimal128(5, 2), "2.5"),
        (Decimal("100.00"), pa.decimal128(5, 2), "100"),
        (0.1, pa.float32(), "0.1"),
        (b"red", pa.binary(), "red"),
        (7, pa.int8(), "7"),
    ],
)
def test_each_type_of_a_column_has_its_text(tmp_path, value, kind, text):
    columns = {"question": ["q"], "answer": pa.array([value], kind), "filename": ["1.png"]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read_pairs(tmp_path / "a.parquet")[0].answer == text


@pytest.mark.parametrize(
    ("column", "value", "seen"),
    [
        ("question", {"en": "what"}, "column question holds {'en': 'what'}"),
        ("question", ["what", "who"], r"column question holds \['what', 'who'\]"),
        ("answer", {"score": 1}, "column answer holds {'score': 1}"),
        ("prediction", ["a", "b"], r"column prediction holds \['a', 'b'\]"),
        ("filename", ["1.png", "2.png"], "column filename holds several pictures"),
        ("filename", True, "column filename holds pictures, not names"),
    ],
)
def test_what_is_no_text_is_shown_with_its_row(tmp_path, column, value, seen):
    rows = [ROWS[0] | {"prediction": "x"}, ROWS[1] | {"prediction": "x", column: value}]
    with pytest.raises(InputError, match=rf"a\.jsonl: row 2: {seen}"):
        read_predictions(jsonl(tmp_path / "a.jsonl", *rows))


PICTURE = b"\x89PNG\r\n" + bytes(range(256)) * 20


@pytest.mark.parametrize("path", ["a/p1.png", None])
def test_a_picture_within_a_row_is_its_path_and_never_its_bytes(tmp_path, path):
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": PICTURE, "path": path}] * 2, struct)
    table = pa.table({"image": images, "question": ["q", "r"], "answer": ["a", "b"]})
    pq.write_table(table, tmp_path / "a.parquet")
    if path:
        assert {pair.filename for pair in read_pairs(tmp_path / "a.parquet")} == {path}
    else:
        with pytest.raises(InputError, match="row 1: column image holds pictures, not names;"):
            read_pairs(tmp_path / "a.parquet")


def test_a_column_of_pictures_alone_is_refused_whatever_its_type(tmp_path):
    rest = {"question": ["q"], "answer": ["a"]}
    bare = pa.struct([("bytes", pa.large_binary())])
    for name, column in {
        "bytes": pa.array([PICTURE], pa.binary()),
        "struct": pa.array([{"bytes": PICTURE}], bare),
        "repr": [repr({"bytes": PICTURE, "path": None})],
        "url": ["data:image/png;base64,iVBORw0KGgo"],
    }.items():
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"image": column, **rest}), path)
        with pytest.raises(InputError, match="holds pictures, not names") as refused:
            read_pairs(path)
        assert len(str(refused.value)) < 400


def test_a_struct_that_pandas_wrote_as_text_is_its_path(tmp_path):
    cell = "{'bytes': None, 'path': 'b/1.png'}"
    path = written(tmp_path / "a.csv", f'image,question,answer\n"{cell}",q,a\n')
    assert read_pairs(path)[0].filename == "b/1.png"


@pytest.mark.parametrize(
    ("cell", "references"),
    [
        ('["red", "maroon"]', ("red", "maroon")),
        ("['red', \"child's\"]", ("red", "child's")),
        ("('red', 'maroon')", ("red", "maroon")),
        ("['red' 'maroon'\n 'red']", ("red", "maroon", "red")),
        ("[1 2]", ("1", "2")),
        ("[1, 2.0, True]", ("1", "2", "yes")),
        ("array(['red', 'maroon'], dtype=object)", ("red", "maroon")),
        ("[{'answer': 'red', 'id': 1}\n {'answer': 'maroon', 'id': 2}]", ("red", "maroon")),
        ("{'answer': array(['red', 'maroon'], dtype=object)}", ("red", "maroon")),
        ("{'text': ['red'], 'answer_start': [0]}", ("red",)),
        ("two", ("two",)),
        ("red, maroon", ("red, maroon",)),
    ],
)
def test_several_references_are_read_as_pandas_and_numpy_write_them(tmp_path, cell, references):
    path = tmp_path / "a.csv"
    row = {"question": "q", "answers": cell, "prediction": "red"}
    write_csv_rows(list(row), [row], path)
    assert read_predictions(path)[0].pair.references == references


@pytest.mark.parametrize("cell", ["red;maroon", "red|maroon", "['red',", "{1", "[" * 5_000])
def test_what_is_no_list_of_references_is_refused_with_the_cell(tmp_path, cell):
    path = tmp_path / "a.csv"
    row = {"question": "q", "answers": cell, "prediction": "red"}
    write_csv_rows(list(row), [row], path)
    with pytest.raises(InputError, match="row 1: column answers holds") as refused:
        read_predictions(path)
    assert cell[:6] in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("word", "split"),
    [
        *[(word, "train") for word in ("Train", "TRAIN", "training", "train2014")],
        *[(word, "validation") for word in ("val", "Valid", "dev", "VAL", "val2017")],
        *[(word, "test") for word in ("Test", "testing", "test2015")],
    ],
)
def test_splits_go_by_the_words_that_people_use(tmp_path, word, split):
    assert read_pairs(jsonl(tmp_path / "a.jsonl", ROWS[0] | {"split": word}))[0].split == split


def test_a_split_that_nobody_knows_has_a_way_out(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", ROWS[0] | {"set_name": "fold 3"})
    with pytest.raises(InputError, match=r"unknown split 'fold 3'; .* --columns split= to do with"):
        read_pairs(path)
    assert read_pairs(path, parse_columns("split="))[0].split is None


@pytest.mark.parametrize(
    ("field", "columns"),
    [
        ("filename", ["img_name", "image_filename", "imageId", "imgname", "file_name", "Image ID"]),
        ("answer", ["gt", "ground_truth_answer", "target", "multiple_choice_answer"]),
        ("question", ["Query", "question text"]),
    ],
)
def test_columns_have_the_names_of_other_data_sets(tmp_path, field, columns):
    expected = texts_of(read_pairs(jsonl(tmp_path / "a.jsonl", *ROWS)))
    for column in columns:
        rows = [
            {column if name == field else name: value for name, value in row.items()}
            for row in ROWS
        ]
        assert texts_of(read_pairs(jsonl(tmp_path / "b.jsonl", *rows))) == expected


@pytest.mark.parametrize("name", ["pred", "response", "model_answer", "filtered_resps"])
def test_predictions_have_the_names_of_other_harnesses(tmp_path, name):
    rows = [{"doc_id": 3, "target": "Yes", "input": "Is it?", name: [["Yes"]]}]
    [row] = read_predictions(jsonl(tmp_path / "a.jsonl", *rows))
    assert (row.answer, row.pair.answer, row.pair.id) == ("Yes", "Yes", "3")


def test_columns_that_cannot_be_guessed_are_named(tmp_path):
    row = {"q": "what", "truth": "mug", "answer": "cup"}
    path = jsonl(tmp_path / "a.jsonl", row)
    with pytest.raises(InputError, match=r"no column prediction .*--columns prediction=NAME"):
        read_predictions(path)
    columns = parse_columns("answer=truth,prediction=answer,question=q")
    [prediction] = read_prediction_table(path, columns).predictions
    assert (prediction.pair.answer, prediction.answer) == ("mug", "cup")
    assert prediction.pair.question == "what"


def test_a_single_row_of_unknown_names_is_a_row(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", {"q": "what", "truth": "mug", "picture": "1.png"})
    columns = parse_columns("answer=truth,question=q,filename=picture")
    assert texts_of(read_pairs(path, columns)) == [("what", "mug", "1.png")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("anwser=gt", "did you mean 'answer'"),
        ("answer", "write FIELD=COLUMN"),
        ("answer=truth", "no column 'truth'; its columns: question, answer, filename"),
    ],
)
def test_columns_that_are_not_there_are_bad_input(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_pairs(jsonl(tmp_path / "a.jsonl", *ROWS), parse_columns(text))


def test_a_guess_between_two_columns_is_told(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", ROWS[0] | {"label": "beaker"})
    with capture_logs() as logs:
        read_pairs(path)
    [told] = logs
    assert (told["event"], told["taken"], told["not_taken"]) == (
        "column_guessed",
        "answer",
        "label",
    )
    with capture_logs() as logs:
        read_pairs(jsonl(tmp_path / "b.jsonl", ROWS[0] | {"label": "mug", "image_id": 4}))
    assert not logs


def test_a_column_that_stands_twice_is_refused(tmp_path):
    path = written(tmp_path / "a.csv", "question,answer,filename,answer\nq,a,f,b\n")
    with pytest.raises(InputError, match="two columns are called 'answer'"):
        read_pairs(path)


def test_ids_that_stand_for_several_rows_are_told(tmp_path):
    rows = [ROWS[0] | {"id": 7}, ROWS[0] | {"id": 7, "question": "why"}, ROWS[1] | {"id": 8}]
    with capture_logs() as logs:
        read_pairs(jsonl(tmp_path / "a.jsonl", *rows))
    [told] = logs
    assert (told["event"], told["ids"], told["first"]) == ("ids_repeat", 1, "7")


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path):
    folder = tmp_path / "split=odd"
    folder.mkdir()
    table = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    pq.write_table(pa.table(table), folder / "a.parquet")
    assert {pair.split for pair in read_pairs(folder / "a.parquet")} == {None}
