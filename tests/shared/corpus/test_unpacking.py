"""Pictures within Parquet files become files that every command reads."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import evaluator.__main__
from shared.corpus import read_pairs
from shared.corpus.unpacking import unpack_pictures
from shared.errors import InputError
from shared.program.cli import run_program

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def content(colour, kind):
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, kind)
    return file.getvalue()


RED, BLUE = content("red", "JPEG"), content("blue", "PNG")


def shard(path, pictures, questions, kind=STRUCT, **more):
    """Write rows about pictures, which have no path, as the hub's files have them."""
    cells = [{"bytes": p, "path": None} if kind is STRUCT else p for p in pictures]
    columns = {"image": pa.array(cells, kind), "question": questions, "answer": questions, **more}
    pq.write_table(pa.table(columns), path)


def command(*arguments):
    with pytest.raises(SystemExit) as leaving:
        run_program(evaluator.__main__.app, "evaluator", [*map(str, arguments)])
    return leaving.value.code


def test_the_shards_of_a_set_become_one_table_with_splits_and_files(tmp_path, capsys):
    folder = tmp_path / "hub"
    folder.mkdir()
    shard(folder / "train-00000-of-00001.parquet", [RED, BLUE, RED], ["a", "b", "c"])
    shard(folder / "test-00000-of-00001.parquet", [content("green", "WEBP")], ["d"])
    with pytest.raises(InputError, match=f"`evaluator unpack --data {folder} --out DIR`"):
        read_pairs(folder)
    out = tmp_path / "out"
    assert command("unpack", folder, "--out", out) == 0
    assert "3 pictures" in capsys.readouterr().out
    pairs = {pair.question: pair for pair in read_pairs(out / "rows.parquet")}
    assert {q: pair.split for q, pair in pairs.items()} == {
        **dict.fromkeys("abc", "train"),
        "d": "test",
    }
    assert pairs["a"].filename == pairs["c"].filename
    assert (out / "images" / pairs["a"].filename).read_bytes() == RED
    assert (out / "images" / pairs["b"].filename).read_bytes() == BLUE
    assert {path.suffix for path in (out / "images").iterdir()} == {".jpg", ".png", ".webp"}
    told = ("check", out / "rows.parquet", "--images", out / "images", "--json")
    assert command(*told) == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["images"], checked["missing_images"]) == (3, 0)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), STRUCT])
def test_pictures_alone_are_unpacked_whatever_their_type(tmp_path, kind):
    path = tmp_path / "rows.parquet"
    shard(path, [RED, None], ["a", "b"], kind, split=["val", "val"])
    with pytest.raises(
        InputError, match="holds pictures, not names; leave --images out, or `evaluator unpack"
    ):
        read_pairs(path)
    made = unpack_pictures([path], tmp_path / "out")
    assert (made.rows, made.images) == (2, 1)
    [pair] = read_pairs(tmp_path / "out" / "rows.parquet")
    assert (pair.question, pair.split) == ("a", "validation")


def test_what_cannot_be_unpacked_is_one_line_and_makes_nothing(tmp_path, capsys):
    shard(tmp_path / "a.parquet", [RED], ["a"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1nonsense")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    for files, out, reason in (
        (["bad.parquet"], "out", "cannot be read"),
        (["a.parquet", "gone.parquet"], "out", "gone.parquet: cannot be read"),
        (["empty"], "out", "holds no .parquet file"),
        (["a.parquet"], "empty", "is there already"),
        (["a.parquet"], "a.parquet/out", "cannot be written"),
    ):
        words = [*(tmp_path / file for file in files), "--out", tmp_path / out]
        assert command("unpack", *words) == 2, files
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert reason in error
    assert sorted(tmp_path.iterdir()) == before


def test_of_a_list_of_pictures_the_first_is_taken_and_told(tmp_path, capsys):
    path = tmp_path / "rows.parquet"
    cells = [[{"bytes": p, "path": None} for p in row] for row in ([RED], [BLUE, RED], [])]
    columns = {"images": pa.array(cells, pa.list_(STRUCT)), "question": list("abc")}
    pq.write_table(pa.table({**columns, "answer": list("abc")}), path)
    assert command("check", path, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["images"] == 2
    assert "first_of_several_pictures_taken" in said.err
    assert "rows_with_several=1" in said.err
    assert unpack_pictures([path], tmp_path / "out").images == 2
    [first, second] = read_pairs(tmp_path / "out" / "rows.parquet")
    assert (tmp_path / "out" / "images" / first.filename).read_bytes() == RED
    assert (tmp_path / "out" / "images" / second.filename).read_bytes() == BLUE


def test_chats_about_pictures_are_read_out_of_parquet(tmp_path):
    """As the hub has them for fine-tuning: a list of pictures, and what was said about them."""
    said = [
        {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": q}]}
        for q in ("What is it?", "Which colour?")
    ]
    replied = [
        {"role": "assistant", "content": [{"type": "text", "text": text}]}
        for text in ("a mug", "red")
    ]
    chat = [said[0], replied[0], said[1], replied[1]]
    table = {"images": pa.array([[{"bytes": RED, "path": None}]], pa.list_(STRUCT))}
    pq.write_table(pa.table({**table, "messages": [chat]}), tmp_path / "chat.parquet")
    unpack_pictures([tmp_path / "chat.parquet"], tmp_path / "out")
    pairs = read_pairs(tmp_path / "out" / "rows.parquet")
    assert [(pair.question, pair.answer) for pair in pairs] == [
        ("What is it?", "a mug"),
        ("Which colour?", "red"),
    ]
    assert {(tmp_path / "out" / "images" / p.filename).read_bytes() for p in pairs} == {RED}
