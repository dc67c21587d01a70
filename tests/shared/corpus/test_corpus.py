"""Data files: what is written is read again, and what cannot be read says so."""

import csv
import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.corpus import (
    MANIFEST_FILE,
    QA_FILE,
    LeftOut,
    pairs_digest,
    read_json,
    read_pairs,
    read_prediction_table,
    read_predictions,
    read_questions,
    read_scored_predictions,
    write_json,
    write_pairs,
    write_predictions,
)
from shared.dataset.folder import write_dataset
from shared.errors import InputError
from shared.files.digests import file_digest
from shared.records import Prediction, Provenance, QAPair, pair_id
from shared.records.boxes import Box

FULL = [
    QAPair(
        "1",
        'what "is" it, really?',
        "a shoe",
        "a/1.jpg",
        "train",
        "easy",
        Provenance("m", "p1", "B1"),
    ),
    QAPair("2", "how many\nlegs", "4", "b.jpg", "test", "hard"),
    QAPair("3", "welche Größe 大", "xl", "ü.png"),
]

# Surrogates cannot be written in UTF-8, and text is stripped when it is read.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text and text
)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".PARQUET"])
def test_every_field_survives(tmp_path, suffix):
    path = tmp_path / f"pairs{suffix}"
    assert write_pairs(iter(FULL), path) == 3
    assert read_pairs(path) == FULL


def test_csv_keeps_the_four_columns_of_the_report_in_its_order(tmp_path):
    path = tmp_path / "pairs.csv"
    write_pairs(FULL, path)
    assert path.read_text().splitlines()[0] == "id,question,answer,filename"
    in_four_columns = [(p.id, p.question, p.answer, p.filename) for p in FULL]
    assert [(p.id, p.question, p.answer, p.filename) for p in read_pairs(path)] == in_four_columns


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=TEXT, answer=TEXT, filename=TEXT)
@example("a\rb", "c\r\nd", "e\nf")
@example("a,b", '"', "'")
@example("\ufeffa", "\x00b", "c\x85d")
@example("a\u2028b", "=1+1", "N/A")
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_any_text_survives(tmp_path, suffix, question, answer, filename):
    path = tmp_path / f"pairs{suffix}"
    # Not alone: a column of text that holds nothing but FALSE, or 2.0, is one of values.
    write_pairs([QAPair("x", question, answer, filename), FULL[0]], path)
    pair, _ = read_pairs(path)
    assert (pair.question, pair.answer, pair.filename) == (question, answer, filename)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=st.one_of(st.just(""), TEXT), confidence=st.none() | st.floats(0, 1))
@example("a\rb", 0.5)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_any_prediction_survives(tmp_path, suffix, answer, confidence):
    path = tmp_path / f"answers{suffix}"
    pair = QAPair("x", "q", "a", "i.jpg")
    rows = [Prediction(pair, answer, confidence), Prediction(pair, "b", broken_image=True)]
    write_predictions(rows, path, {"exact_match": [1.0, 0.0]})
    assert read_predictions(path) == rows
    assert read_scored_predictions(path, ["exact_match"]) == (rows, {"exact_match": [1.0, 0.0]})


@pytest.mark.parametrize("said", ["nan", "inf", "-", ""])
def test_a_confidence_that_is_no_finite_number_is_none(tmp_path, said):
    path = tmp_path / "answers.csv"
    write_csv(path, ["question", "answer", "prediction", "confidence"], ["q", "a", "b", said])
    [read] = read_predictions(path)
    assert read.confidence is None


def write_csv(path, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize(
    "header",
    [
        ["QUESTION", "Answer", "filename"],
        ["Question", "ground_truth", "Image_Name"],
        ["\ufeffquestion", "reference", "IMAGE_ID"],
        [" question ", "answer", "image"],
    ],
)
def test_columns_have_other_names_and_any_case(tmp_path, header):
    path = write_csv(tmp_path / "a.csv", header, ["what", "shoe", "a.jpg"])
    [pair] = read_pairs(path)
    assert pair == QAPair(pair_id("a.jpg", "what"), "what", "shoe", "a.jpg")


def test_the_most_specific_name_wins(tmp_path):
    header = ["image_id", "filename", "question", "answer", "extra"]
    path = write_csv(tmp_path / "a.csv", header, ["77", "a.jpg", "what", "shoe", "kept"])
    assert read_pairs(path)[0].filename == "a.jpg"


@pytest.mark.parametrize("name", ["generated_answer", "Predicted_Answer", "prediction"])
def test_other_names_of_predictions_are_read(tmp_path, name):
    path = write_csv(tmp_path / "a.csv", ["question", "answer", name], ["q", "shoe", "boot"])
    assert read_predictions(path)[0].answer == "boot"


def test_an_empty_prediction_is_a_wrong_answer_and_stays(tmp_path):
    header = ["question", "answer", "prediction"]
    path = write_csv(tmp_path / "a.csv", header, ["q", "shoe", ""], ["q", "shoe", "shoe"])
    assert [p.answer for p in read_predictions(path)] == ["", "shoe"]


def test_an_empty_reference_cannot_be_scored(tmp_path):
    header = ["question", "answer", "prediction"]
    path = write_csv(tmp_path / "a.csv", header, ["q", "shoe", "x"], ["q", " ", "shoe"])
    with pytest.raises(InputError, match=r"a\.csv: row 2: no reference answer"):
        read_predictions(path)


def test_published_files_are_read_as_they_stand(tmp_path):
    # With a mark of byte order, an index, carriage returns, quotes and what pandas takes for gaps.
    path = tmp_path / "results.csv"
    text = (
        ",image_path,question,answer,generated_answer\r\n"
        '0,a/1.jpg,"What is ""on"", it?",None,none\r\n'
        "1,a/1.jpg,Wie heißt es?,Größe,nan\r\n"
        '2,b.jpg,How many,2,"2.0"\r\n'
        "3,b.jpg,Which,NA,\r\n"
        '4,b.jpg,Which," ""3D"" ","3d\nprint"\r\n'
        "5,c.jpg,Which,,red\r\n"
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = read_prediction_table(path)
    assert table.left_out == [LeftOut(6, "no reference answer")]
    assert [(p.pair.filename, p.pair.answer, p.answer) for p in table.predictions] == [
        ("a/1.jpg", "None", "none"),
        ("a/1.jpg", "Größe", "nan"),
        ("b.jpg", "2", "2.0"),
        ("b.jpg", "NA", ""),
        ("b.jpg", '"3D"', "3d\nprint"),
    ]
    assert table.predictions[0].pair.question == 'What is "on", it?'


def test_a_path_is_a_file_where_an_id_is_only_a_name(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("image_id,question,answer,path,predicted_answer\n71OQ,q,red,f0/f0d5.jpg,red\n")
    assert read_predictions(path)[0].pair.filename == "f0/f0d5.jpg"


def test_numbers_of_a_typed_column_lose_the_point_that_a_gap_gave_them(tmp_path):
    path = tmp_path / "results.parquet"
    numbers = {"answer": [2.0, 3.5], "prediction": [2.0, float("nan")]}
    pq.write_table(pa.table(numbers), path)
    read = [(p.pair.answer, p.answer) for p in read_predictions(path)]
    assert read == [("2", "2"), ("3.5", "")]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_several_references_stand_in_one_column(tmp_path, suffix):
    path = tmp_path / f"vqa{suffix}"
    lists = [["red", "maroon", "red"], ["yes"]]
    if suffix == ".csv":
        rows = [["q", json.dumps(references), "red"] for references in lists]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["question", "answers", "prediction"], *rows])
    elif suffix == ".jsonl":
        # As VQA v2 annotates, with who said it.
        people = [
            [{"answer": a, "answer_id": i} for i, a in enumerate(references)]
            for references in lists
        ]
        rows = [
            {"question": "q", "answers": references, "prediction": "red"} for references in people
        ]
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        table = {"question": ["q", "q"], "answers": lists, "prediction": ["red", "red"]}
        pq.write_table(pa.table(table), path)
    read = read_predictions(path)
    assert [p.pair.references for p in read] == [tuple(references) for references in lists]
    assert [p.pair.answer for p in read] == ["red", "yes"]
    for target in ("again.parquet", "again.csv"):
        write_predictions(read, tmp_path / target, {})
        assert [p.pair.answers for p in read_predictions(tmp_path / target)] == [
            p.pair.answers for p in read
        ]


def test_pairs_keep_several_references(tmp_path):
    pairs = [replace(FULL[0], answers=("a shoe", "boot")), FULL[1]]
    for name in ("pairs.jsonl", "pairs.parquet"):
        write_pairs(pairs, tmp_path / name)
        assert read_pairs(tmp_path / name) == pairs
    assert pairs_digest(pairs) != pairs_digest(FULL[:2])


BOXED = [replace(FULL[0], boxes=(Box(0.1, 0.2, 0.5, 1 / 3), Box(0, 0, 1, 1))), *FULL[1:]]


def test_boxes_are_kept_wherever_pairs_are(tmp_path):
    for name in ("pairs.jsonl", "pairs.parquet"):
        write_pairs(BOXED, tmp_path / name)
        assert read_pairs(tmp_path / name) == BOXED
    row = json.loads((tmp_path / "pairs.jsonl").read_text().splitlines()[0])
    assert row["boxes"][1] == [0, 0, 1, 1]
    write_dataset(BOXED, tmp_path / "set", source={}, split_rule={})
    assert read_pairs(tmp_path / "set") == BOXED
    assert pairs_digest(BOXED) != pairs_digest(FULL)
    predictions = [Prediction(pair, "x", grounding_boxes=0.5) for pair in BOXED[:1]]
    for name in ("answers.parquet", "answers.csv"):
        write_predictions(predictions, tmp_path / name, {})
        [row] = read_predictions(tmp_path / name)
        assert (row.pair.boxes, row.grounding_boxes) == (BOXED[0].boxes, 0.5)


def test_boxes_of_a_csv_are_json_and_wrong_ones_name_their_row(tmp_path):
    header = ["question", "answer", "filename", "Boxes"]
    rows = [["q", "a", "f", ""], ["q", "a", "f", "[[0, 0, 0.5, 1]]"]]
    [unboxed, boxed] = read_pairs(write_csv(tmp_path / "a.csv", header, *rows))
    assert (unboxed.boxes, boxed.boxes) == ((), (Box(0, 0, 0.5, 1),))
    path = write_csv(tmp_path / "b.csv", header, rows[0], ["q", "a", "f", "[[0, 0, 50, 80]]"])
    with pytest.raises(InputError, match=r"b\.csv: row 2: box .* divide left and right"):
        read_pairs(path)
    path = write_csv(tmp_path / "c.csv", ["answer", "prediction", "boxes"], ["a", "a", "4"])
    with pytest.raises(InputError, match=r"c\.csv: row 1: `boxes` must be a list"):
        read_predictions(path)


def test_without_file_names_each_row_is_an_image_of_its_own(tmp_path):
    header = ["question", "answer", "prediction"]
    path = write_csv(tmp_path / "a.csv", header, ["q", "a", "a"], ["q", "a", "a"])
    assert len({p.pair.filename for p in read_predictions(path)}) == 2


@pytest.mark.parametrize(
    ("reader", "header", "missing"),
    [
        (read_pairs, ["question", "filename"], "answer"),
        (read_pairs, ["question", "answer"], "filename"),
        (read_predictions, ["question", "answer"], "prediction"),
        (read_questions, ["text", "filename"], "question"),
    ],
)
def test_a_missing_column_is_named_with_the_file_and_what_it_has(tmp_path, reader, header, missing):
    path = write_csv(tmp_path / "a.csv", header, ["x", "y"])
    with pytest.raises(InputError, match=rf"a\.csv: no column .*{missing}") as refused:
        reader(path)
    assert ", ".join(header) in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"question", "use .csv, .tsv, .json, .jsonl, .ndjson or .parquet"),
        ("a.csv", b"\xff\xfe\x00bad\x00", "cannot be read"),
        ("a.csv", b"question,answer,filename\n", "holds no question/answer rows"),
        ("a.csv", b"", "no column"),
        ("a.csv", b"question,answer,filename\nq,,f\n", r"1 left out: no answer \(first: row 1\)"),
        ("a.csv", b"question,answer,filename,split\nq,a,f,odd\n", "row 1: unknown split 'odd'"),
        ("a.jsonl", b'{"question": ', "cannot be read"),
        ("a.jsonl", b"[1]\n", "one JSON object"),
        ("a.parquet", b"PAR1nonsense", "cannot be read"),
    ],
)
def test_unreadable_data_is_bad_input(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=reason) as refused:
        read_pairs(tmp_path / name)
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_there_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_pairs(tmp_path / "none.csv")
    with pytest.raises(InputError, match=f"{QA_FILE} is missing"):
        read_pairs(tmp_path)


def failing():
    yield FULL[0]
    raise RuntimeError("the source dried up")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"pairs{suffix}"
    write_pairs(FULL[:2], path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="dried up"):
        write_pairs(failing(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_suffix_writes_nothing(tmp_path):
    with pytest.raises(InputError, match=r"use \.csv, \.jsonl or \.parquet"):
        write_pairs(FULL, tmp_path / "pairs.xlsx")
    with pytest.raises(InputError, match=r"use \.csv or \.parquet"):
        write_predictions([], tmp_path / "answers.jsonl", {})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        write_pairs(FULL, tmp_path / "file" / "pairs.csv")
    with pytest.raises(InputError, match="is a file; give a folder"):
        write_dataset(FULL, tmp_path / "file", source={}, split_rule={})


def test_a_data_set_folder_says_what_it_holds(tmp_path):
    folder = tmp_path / "set"
    write_dataset(FULL, folder, source={"model": "m"}, split_rule={"seed": 1})
    assert read_pairs(folder) == FULL
    manifest = read_json(folder / MANIFEST_FILE)
    assert manifest["pairs"] == 3
    assert manifest["images_by_split"] == {"train": 1, "validation": 0, "test": 1}
    assert manifest["file_sha256"] == file_digest(folder / QA_FILE)
    assert manifest["pairs_sha256"] == pairs_digest(reversed(FULL))
    assert manifest["source"] == {"model": "m"}


def test_the_digest_sees_content_and_neither_order_nor_format(tmp_path):
    write_pairs(FULL, tmp_path / "a.jsonl")
    write_pairs(FULL[::-1], tmp_path / "b.parquet")
    same = {pairs_digest(read_pairs(tmp_path / name)) for name in ("a.jsonl", "b.parquet")}
    assert same == {pairs_digest(FULL)}
    assert pairs_digest(FULL[:2]) not in same


def test_questions_keep_every_column_and_need_no_answer(tmp_path):
    path = write_csv(tmp_path / "a.csv", ["note", "Question", "image"], ["n", " what ", "a.jpg"])
    table = read_questions(path)
    assert table.columns == ["note", "Question", "image"]
    assert table.rows[0]["note"] == "n"
    assert (table.questions[0].text, table.questions[0].filename) == ("what", "a.jpg")


def test_numbers_of_any_type_are_read_from_parquet(tmp_path):
    table = pa.table({"Question": ["q"], "answer": [4], "prediction": [None], "filename": [7]})
    pq.write_table(table, tmp_path / "a.parquet")
    [row] = read_predictions(tmp_path / "a.parquet")
    assert (row.pair.answer, row.answer, row.pair.filename) == ("4", "", "7")


def test_json_is_one_object(tmp_path):
    write_json({"ü": [1]}, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == {"ü": [1]}
    assert json.loads((tmp_path / "a.json").read_text()) == {"ü": [1]}
    for content, reason in (("[]", "expected one JSON object"), ("{", "not readable as JSON")):
        (tmp_path / "b.json").write_text(content)
        with pytest.raises(InputError, match=reason):
            read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "none.json")
