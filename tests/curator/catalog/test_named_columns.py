"""`--columns`: what a user says of a table's columns."""

from __future__ import annotations

import pytest

from curator.catalog import Skipped, catalog_columns, open_catalog
from shared.errors import InputError

TABLE = (
    "Art-Nr,Modell,Name,Vorderansicht,Rückansicht,Preis,Farbe\n"
    "1,M,Krug,a.jpg,b.jpg,9,rot\n"
    "2,M,Teller,c.jpg,,8,blau\n"
)


@pytest.fixture
def read(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg", "sub/77.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()

    def reading(columns, table=TABLE):
        (tmp_path / "t.csv").write_text(table)
        catalog = open_catalog(tmp_path / "t.csv", tmp_path / "images", catalog_columns(columns))
        return [
            (one.listing_id, one.image.path, one.product, dict(one.metadata))
            for one in catalog.listings(Skipped())
        ]

    return reading


def test_columns_are_what_a_user_says_they_are(read):
    said = "image=vorderansicht, image=Rückansicht,id=Art Nr,product=Modell,color=Farbe,price=Preis"
    jug = {"color": "rot", "price": "9", "Name": "Krug"}
    assert read(said) == [
        ("1", "a.jpg", "M", jug),
        ("1", "b.jpg", "M", jug),
        ("2", "c.jpg", "M", {"color": "blau", "price": "8", "Name": "Teller"}),
    ]


def test_what_is_given_no_column_is_left_out(read):
    assert read("image=Vorderansicht,id=,Farbe=,Modell=") == [
        ("a.jpg", "a.jpg", "", {"Name": "Krug"}),
        ("c.jpg", "c.jpg", "", {"Name": "Teller"}),
    ]


def test_a_named_column_may_hold_ids_that_files_are_called_after(read):
    assert read("image=Code", "Code,Name\n77,Krug\n")[0][:2] == ("sub/77.jpg", "sub/77.jpg")


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ("image=Bild", "no column 'Bild'; its columns: Art-Nr, Modell"),
        ("Gewicht=", "no column 'Gewicht'"),
        ("image", "write FIELD=COLUMN"),
        ("image=", "name the column"),
        ("id=Name,ID=Farbe", "'ID' twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(read, columns, part):
    with pytest.raises(InputError, match=part):
        read(columns)


def test_a_folder_has_no_columns(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(InputError, match="names columns of a table"):
        open_catalog(tmp_path, columns=catalog_columns("image=x"))


def test_other_columns_make_a_table_look_changed(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nx.jpg,y.jpg\n")
    known = {
        open_catalog(tmp_path / "t.csv", columns=catalog_columns(said)).fingerprint()
        for said in ("image=a", "image=b", "image=a,id=b")
    }
    assert len(known) == 3
    assert str(catalog_columns(None)) == ""
    assert str(catalog_columns("image=a,image=b,id=,t=c")) == "image=a,image=b,id=,t=c"
