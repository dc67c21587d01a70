"""Tables of products as tools and other machines write them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curator.catalog import Reason, Skipped, nothing_usable, open_catalog
from curator.catalog.tables.cells import plain_text
from shared.errors import InputError
from tests.curator.catalog.tables import places, table


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (json.dumps([{"id": 77, "images": ["a.jpg", "b.jpg"], "name": "Bowl"}]), "t.json"),
        (
            json.dumps(
                {
                    "products": [
                        {"id": 77, "images": [{"src": "a.jpg"}, {"src": "b.jpg"}], "n": None}
                    ]
                },
                indent=1,
            ),
            "t.json",
        ),
        ('{"id": "77", "image": "a.jpg"}\n\n{"id": "77", "image": "b.jpg"}\n', "t.jsonl"),
    ],
)
def test_json_is_read_like_a_table(shop, text, file):
    listings, skipped = shop(text, "a.jpg", "b.jpg", file=file)
    assert places(listings) == [("77", "a.jpg"), ("77", "b.jpg")]
    assert not skipped.counts


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separators_and_encodings_are_told_by_what_is_there(shop, separator, encoding):
    text = table(
        ("id", "image", "title"),
        ("1", "a.jpg", f"Bowl, blue; d\u00e9cor {separator}\nof two lines"),
        separator=separator,
    )
    listings, _ = shop(text.encode(encoding), "a.jpg")
    assert listings == [
        (
            "1",
            "a.jpg",
            {"title": " ".join(f"Bowl, blue; d\u00e9cor {separator} of two lines".split())},
        )
    ]


def test_excels_own_first_line_and_packed_tables_are_read(shop):
    text = "sep=;\r\nid;image;title\r\n1;a.jpg;Bowl\r\n"
    assert shop(text, "a.jpg")[0] == [("1", "a.jpg", {"title": "Bowl"})]
    packed = gzip.compress(text.encode())
    assert shop(packed, "a.jpg", file="t.csv.gz")[0] == [("1", "a.jpg", {"title": "Bowl"})]


def test_shifted_rows_are_counted_and_never_misread_and_a_name_may_hold_a_comma(shop):
    text = (
        "id,image,title\n1,a.jpg,Bowl\n2,b.jpg,Bowl, blue\n3,c.jpg\n4,d.jpg,Cup,,\n"
        '5,"cup, blue.jpg",Cup\n'
    )
    listings, skipped = shop(text, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "cup, blue.jpg")
    assert places(listings) == [
        ("1", "a.jpg"),
        ("3", "c.jpg"),
        ("4", "d.jpg"),
        ("5", "cup, blue.jpg"),
    ]
    assert skipped.counts == {Reason.LONG_ROW: 1}
    assert skipped.first[Reason.LONG_ROW] == "line 3"


def test_a_column_that_begins_with_what_repeats_is_read_to_its_end(shop):
    cells = ["<b>Oak</b>", "", "Oak", "nan"] * 60
    cells += [f"{number} kg" for number in range(1_100)]
    cells += ["<i>Oak</i> " * 40, "https://s.example/1", "<b>Oak</b>"]
    text = table(("id", "image", "material"), *((str(n), "a.jpg", c) for n, c in enumerate(cells)))
    listings, _ = shop(text, "a.jpg")
    said = [metadata.get("material", "") for *_, metadata in listings]
    assert said[:240] == ["Oak", "", "Oak", ""] * 60
    assert said[240:-3] == [f"{number} kg" for number in range(1_100)]
    assert said[-3:] == [" ".join(["Oak"] * 40), "", "Oak"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_machine_ends_them_also_in_long_tables(shop, end):
    rows = [f"{number},a.jpg,{'x' * 50}" for number in range(3_000)]
    listings, skipped = shop(end.join(["id,image,title", *rows]), "a.jpg")
    assert [product for product, *_ in listings] == [str(number) for number in range(3_000)]
    assert not skipped.counts


def test_a_quote_that_never_closes_does_not_swallow_the_rest_in_silence(shop):
    text = 'id,image,title\n1,a.jpg,Bowl\n2,a.jpg,"Large\n3,a.jpg,Cup\n4,a.jpg,Cup\n'
    with pytest.raises(InputError, match=r"t\.csv: line 3: a quote"):
        shop(text, "a.jpg")
    listings, _ = shop('id,image,title\n1,a.jpg,5" nail\n2,a.jpg,"a\nb\nc\nd"\n', "a.jpg")
    assert [metadata["title"] for *_, metadata in listings] == ['5" nail', "a b c d"]


def test_two_addresses_of_one_file_name_are_not_taken_for_one_picture(shop):
    rows = ("1,https://s.example/1/main.jpg?v=1", "2,https://s.example/2/main.jpg")
    listings, skipped = shop("\n".join(["id,image", *rows, f"{rows[0]}2"]), "main.jpg")
    assert places(listings) == [("1", "main.jpg"), ("1", "main.jpg")]
    assert skipped.counts == {Reason.TAKEN_URL: 1}
    listings, skipped = shop("\n".join(["id,image", *rows]), "1/main.jpg", "2/main.jpg")
    assert places(listings) == [("1", "1/main.jpg"), ("2", "2/main.jpg")]


def test_names_are_found_as_less_careful_systems_spell_them(shop):
    text = "image\na.JPG\nB.jpg\nd\u00e9cor.jpg\ne\u0301tag\u00e8re.png\n"
    listings, skipped = shop(text, "a.jpg", "B.JPG", "de\u0301cor.jpg", "\u00e9tag\u00e8re.png")
    assert len(listings) == 4
    assert not skipped.counts


def test_an_image_column_may_begin_empty_and_a_table_with_blank_lines(shop):
    rows = "\r\n".join(f"{number};" for number in range(300))
    listings, skipped = shop(f"\r\n\r\nsku;Image Src\r\n{rows}\r\n300;a.jpg\r\n", "a.jpg")
    assert places(listings) == [("300", "a.jpg")]
    assert skipped.counts == {Reason.WITHOUT_IMAGE: 300}


def test_ids_name_files_where_no_column_does(shop):
    text = "sku,gender,price\n90001,Men,12\nb-2,Women,13\n90003,Men,14\n"
    listings, skipped = shop(text, "90001.jpg", "b-2.PNG", "b-2.webp")
    assert listings == [
        ("90001", "90001.jpg", {"gender": "Men"}),
        ("b-2", "b-2.webp", {"gender": "Women"}),
    ]
    assert skipped.counts == {Reason.MISSING: 1}


def test_of_columns_that_could_name_the_picture_the_one_that_does_is_taken(shop):
    text = "image_id,image,path,thumbnail\nX1,https://s.example/1,sub/a.jpg,t.jpg\n"
    listings, skipped = shop(text, "sub/a.jpg", "t.jpg")
    assert [path for _, path, _ in listings] == ["sub/a.jpg"]
    assert not skipped.counts


def test_texts_are_without_markup_and_columns_that_tell_nothing_stay_out(shop):
    text = table(
        ("", "Id", "Image", "Price", "Retail SKU", "Product URL", "Description", "Tree", "Brand"),
        (
            "0",
            "1",
            "a.jpg",
            "3",
            "S",
            "https://s.example/1",
            "<style>p {}</style><p>Deep&nbsp;<b>bowl</b>, 3 < 4</p>",
            '["Home >> Bowls"]',
            "NaN",
        ),
    )
    listings, _ = shop(text, "a.jpg")
    assert listings == [
        ("1", "a.jpg", {"Description": "Deep bowl , 3 < 4", "Tree": "Home >> Bowls"})
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/kaggle/input/x/a.jpg", Reason.OUTSIDE),
        ("C:\\Users\\me\\x\\a.jpg", Reason.OUTSIDE),
        ("D:/x/a.jpg", Reason.OUTSIDE),
        ("\\\\server\\x\\a.jpg", Reason.OUTSIDE),
        ("file:///home/me/x/a.jpg", Reason.OUTSIDE),
        ("../../x/a.jpg", Reason.OUTSIDE),
        ("https://s.example/b.jpg", Reason.URL),
        ("s3://bucket/b.jpg", Reason.URL),
        ("x/b.jpg", Reason.MISSING),
        ("x", Reason.MISSING),
        (".", Reason.MISSING),
        ("./", Reason.MISSING),
        ("/", Reason.OUTSIDE),
        ("file://", Reason.MISSING),
        ("x" * 5000 + ".jpg", Reason.MISSING),
        ("x/c.heic", Reason.UNREADABLE_FORMAT),
        ("x/.ipynb_checkpoints/a-checkpoint.jpg", Reason.HIDDEN),
        ("__MACOSX/x/._a.jpg", Reason.HIDDEN),
    ],
)
def test_what_cannot_be_used_is_said_with_the_first_example(shop, tmp_path, name, reason):
    files = ("x/a.jpg", "x/c.heic", "x/.ipynb_checkpoints/a-checkpoint.jpg", "__MACOSX/x/._a.jpg")
    listings, skipped = shop(table(("image", "title"), (name, "Bowl"), (name, "Cup")), *files)
    assert not listings
    assert skipped.counts == {reason: 2}
    error = nothing_usable(open_catalog(tmp_path / "t.csv", tmp_path / "images"), skipped)
    assert name[:100] in str(error)
    assert f"2 {reason.value}" in str(error)


@pytest.mark.parametrize(
    "name",
    [
        "x/a.jpg",
        "./x/a.jpg",
        "x\\a.jpg",
        "/x/a.jpg",
        "{}/x/a.jpg",
        "file://{}/x/a.jpg",
        "images/x/a.jpg",
        "../images/x/a.jpg".replace("../", "./../{parent}/"),
        "https://s.example/media/x/a.jpg?width=100#top",
        "https://s.example/a.jpg",
    ],
)
def test_paths_that_lead_below_the_images_folder_are_found(shop, tmp_path, name):
    name = name.format(tmp_path / "images", parent=tmp_path.name)
    listings, skipped = shop(table(("image", "title"), (name, "Bowl")), "x/a.jpg", "a.jpg")
    assert listings[0][1] == ("a.jpg" if name.endswith("example/a.jpg") else "x/a.jpg")
    assert not skipped.counts


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"PK\x03\x04\x00\x00", "zip archive"),
        (b"", "is empty"),
        (b"id,title\n1,Bowl\n", "no image column .*id, title"),
        (b'{"id": 1}', "no image column"),
        ("image\n\x81\x8d.jpg\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_a_way_out(shop, content, part):
    with pytest.raises(InputError, match=part):
        shop(content)


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": [', "7", '[{"image": "a.jpg"}', "[" * 10_000])
def test_json_that_holds_no_products_is_refused(shop, text):
    with pytest.raises(InputError, match=r"t\.json"):
        shop(text, file="t.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\n[{"image": "a.jpg"},\n {"image": "b.jpg"]', r"line 3 is not JSON .* column 19\)"),
        ('["a.jpg", "Bowl"]\n["b.jpg", "Cup"]\n', "line 2 is not JSON .Extra data"),
        ("[" * 100_000, "nested too deeply"),
        (f'[{{"image": "a.jpg", "id": {5_000 * "1"}}}]', "a number that is too long"),
    ],
)
def test_where_json_is_broken_is_told(shop, text, told):
    with pytest.raises(InputError, match=told):
        shop(text, file="t.json")


def test_a_table_without_rows_is_said_to_be_empty(shop, tmp_path):
    _, skipped = shop("id,image\n")
    error = nothing_usable(open_catalog(tmp_path / "t.csv", tmp_path / "images"), skipped)
    assert str(error).endswith("holds no listing with an image: nothing is in it")


def test_long_cells_and_brackets_without_end_are_read(shop):
    image = "data:image/png;base64," + "A" * 200_000
    text = table(("id", "image", "text"), ("1", "a.jpg", "x " * 100_000), ("2", image, "[" * 9_000))
    listings, skipped = shop(text, "a.jpg")
    assert places(listings) == [("1", "a.jpg")]
    assert skipped.counts == {Reason.AS_TEXT: 1}
    assert len(skipped.first[Reason.AS_TEXT]) > 10_000
    assert len(str(skipped)) < 300


def test_links_that_lead_in_circles_are_no_pictures(shop, tmp_path):
    shop("image\nunnamed.jpg\n")
    (tmp_path / "images" / "x").symlink_to(tmp_path / "images" / "x")
    assert shop("image\nx/a.jpg\n")[1].counts == {Reason.MISSING: 1}


FILES = ("t.csv", "t.json", "t.jsonl")
PIECES = (
    *('"', "'", ",", ";", "\n", "\r", "[", "]", "{", "}", ":", "\0", "\ufeff", "\\", "<", "&", "|"),
    *(
        "..",
        ".",
        "./",
        "/",
        "a.jpg",
        ".jpg",
        "id",
        "image",
        "Handle",
        "Title",
        "Option1 Name",
        "ID",
        "Type",
    ),
    *("SKU", "Parent", "Images", "sep=;", "TemplateType=x", "https://", "//", "C:\\", "%00", "?"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.sampled_from(FILES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_table_brings_listings_of_files_that_are_there_or_one_line(tmp_path, text, file):
    (tmp_path / "a.jpg").touch()
    (tmp_path / file).write_bytes(text.encode())
    refusal = file
    try:
        for listing in open_catalog(tmp_path / file).listings(Skipped()):
            assert (tmp_path / listing.image.path).is_file()
    except InputError as error:
        refusal = str(error)
    assert file in refusal
    assert "\n" not in refusal


def test_a_refusal_is_short_however_many_columns_there_are(shop):
    header = ",".join(["x" * 5_000, *(f"column_{number}" for number in range(5_000))])
    with pytest.raises(InputError, match=r"column_0.* and 4,951 more; ") as refused:
        shop(f"{header}\n{'v,' * 5_000}v\n")
    assert len(str(refused.value)) < 2_000


def test_listings_stream_whatever_the_tables_length(tmp_path):
    (tmp_path / "a.jpg").touch()
    path = Path(tmp_path / "t.csv")
    path.write_text("id,image\n" + "".join(f"{number},a.jpg\n" for number in range(5_000)))
    listings = open_catalog(path).listings(Skipped())
    assert [next(listings).listing_id for _ in range(3)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("a.jpg\nb.jpg\n", "list.txt"),
        ("a.jpg,Bowl\nb.jpg,Cup\n", "goods.csv"),
        ("a.jpg 0\nb.jpg 1\n", "train.txt"),
        ("2\nimage_name        category\na.jpg     3\nb.jpg     17\n", "list.txt"),
        ("Our goods,,\nfile,title,note\na.jpg,Bowl,x\nb.jpg,Cup,y\n", "goods.csv"),
        ("Name (a,b,c);Pictures (x,y,z)\nBowl;a.jpg\nCup;b.jpg\n", "goods.csv"),
        ("file\tnote, long\na.jpg\tblue\nb.jpg\tred\n", "goods.csv"),
        ('{"a1": {"image": "a.jpg"}, "b1": {"image": "b.jpg"}}', "goods.json"),
        ('{"products": [{"image": "a.jpg"}, {"image": "b.jpg"}], "total": 2}', "goods.json"),
        ('{"images": [{"file": "a.jpg"}, {"file": "b.jpg"}], "annotations": []}', "goods.json"),
        ('{"image": "a.jpg", "items": [{"n": 1}]}\n{"image": "b.jpg"}\n', "goods.jsonl"),
        ("image\nA.JPG\n%62.jpg\n", "goods.csv"),
        ("image,title\nimages/a.jpg?v=3,Bowl\nimages/b.jpg,Cup\n", "goods.csv"),
        ("Name,Attachments\nBowl,a.jpg (http://h.eg/1)\nCup,b.jpg (http://h.eg/2)\n", "goods.csv"),
        ("image,image,title\na.jpg,b.jpg,Bowl\n", "goods.csv"),
        ("front_image,back_image\na.jpg,b.jpg\n", "goods.csv"),
    ],
)  # fmt: skip
def test_no_row_and_no_picture_is_lost_however_a_table_is_laid_out(shop, text, file):
    listings, skipped = shop(text, "a.jpg", "b.jpg", file=file)
    assert [path for _, path, _ in listings] == ["a.jpg", "b.jpg"]
    assert not skipped.counts


def test_a_products_page_is_no_address_of_its_picture(shop):
    head = ("id", "link", "image_link", "additional_image_link")
    page, cdn = "https://host.example", "https://cdn.example/i"
    text = table(head, ("1", f"{page}/mug", f"{cdn}/mug.jpg", f"{cdn}/mug2.jpg"), separator="\t")
    listings, skipped = shop(text, "mug.jpg", "mug2.jpg")
    assert places(listings) == [("1", "mug.jpg"), ("1", "mug2.jpg")]
    assert not skipped.counts


@pytest.mark.parametrize("name", ["0108", "108", "108.0"])
def test_ids_name_files_in_whatever_folder_and_zeros_may_be_lost(shop, name):
    text = f"article_id,title\n{name},Top\n77,Two\n99,None\n"
    listings, skipped = shop(text, "010/0108.jpg", "0/77.jpg", "1/77.jpg")
    assert [path for _, path, _ in listings] == ["010/0108.jpg"]
    assert skipped.counts == {Reason.MISSING: 2}


def test_ids_are_not_sought_in_whatever_folder_the_table_lies(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "7.jpg").touch()
    (tmp_path / "goods.csv").write_text("id,price\n7,7\n")
    with pytest.raises(InputError, match="--images DIR"):
        open_catalog(tmp_path / "goods.csv")
    (tmp_path / "goods.csv").write_text("code,price\nA,7\n")
    with pytest.raises(InputError, match="no image column"):
        open_catalog(tmp_path / "goods.csv", tmp_path / "more" / "..")


def test_columns_of_one_name_both_tell(shop):
    ((_, _, texts),) = shop("image,title,title\na.jpg,Bowl,Schale\n", "a.jpg")[0]
    assert texts == {"title": "Bowl", "title 2": "Schale"}


@pytest.mark.parametrize("space", [" ", "  ", "\t", "\r\n", "\0", "\x85", "\u00a0", "\u2028"])
def test_texts_have_single_spaces_whatever_the_table_has(space):
    assert plain_text(f"{space}a{space}b \u00e9{space}") == "a b \u00e9"
    assert plain_text(f"{space}-{space}") == ""
    assert plain_text(f'{space}["a",{" " if space == chr(0) else ""}"b"]') == "a; b"
