"""Tables of products as shops export them."""

from __future__ import annotations

import json

import pytest

from curator.catalog import Reason, Skipped, open_catalog
from tests.curator.catalog.tables import places, table


def test_shopify_rows_below_a_product_are_its_pictures_and_variants_say_nothing(shop):
    columns = ("Handle", "Title", "Body (HTML)", "Vendor", "Option1 Name", "Option1 Value")
    text = table(
        (*columns, "Variant SKU", "Variant Price", "Image Src", "Image Position"),
        *(
            (
                "lamp",
                "Desk lamp",
                "<p>Bends &amp; turns.</p>",
                "Acme",
                "Colour",
                "Red",
                "L-1",
                "9.00",
                "https://cdn.example/files/lamp%201.jpg?v=17",
                "1",
            ),
            ("lamp", "", "", "", "", "Blue", "L-2", "9.00", "//cdn.example/files/lamp2.jpg", "2"),
            ("lamp", "", "", "", "", "Green", "L-3", "9.00", "", ""),
            ("rug", "Rug", "", "Acme", "", "", "R-1", "5", "https://cdn.example/gone.jpg", "1"),
        ),
    )
    listings, skipped = shop(text, "lamp 1.jpg", "lamp2.jpg")
    lamp = {"Title": "Desk lamp", "Body (HTML)": "Bends & turns.", "Vendor": "Acme"}
    assert listings == [("lamp", "lamp 1.jpg", lamp), ("lamp", "lamp2.jpg", lamp)]
    assert skipped.counts == {Reason.URL: 1}
    assert skipped.first == {Reason.URL: "https://cdn.example/gone.jpg"}


def test_woocommerce_variations_have_their_parents_texts_and_their_own_attributes(shop):
    text = table(
        (
            "ID",
            "Type",
            "SKU",
            "Name",
            "Description",
            "Images",
            "Parent",
            "Attribute 1 name",
            "Attribute 1 value(s)",
            "Meta: x",
        ),
        (
            "7",
            "variable",
            "cap",
            "Cap",
            "Wool.",
            "https://s.example/2024/05/a.jpg, b.jpg",
            "",
            "Color",
            "Red, Blue",
            "1",
        ),
        ("8", "simple", "mug", "Mug", "Clay.", "", "", "", "", ""),
        ("9", "variation", "cap-r", "Cap - Red", "", "2024/05/c.jpg", "cap", "Color", "Red", ""),
        ("10", "variation", "cap-b", "", "", "d.jpg", "id:7", "Color", "Blue", ""),
    )
    listings, skipped = shop(text, "2024/05/a.jpg", "b.jpg", "2024/05/c.jpg", "d.jpg")
    assert listings == [
        ("7", "2024/05/a.jpg", {"Name": "Cap", "Description": "Wool.", "Color": "Red, Blue"}),
        ("7", "b.jpg", {"Name": "Cap", "Description": "Wool.", "Color": "Red, Blue"}),
        ("9", "2024/05/c.jpg", {"Name": "Cap - Red", "Description": "Wool.", "Color": "Red"}),
        ("10", "d.jpg", {"Name": "Cap", "Description": "Wool.", "Color": "Blue"}),
    ]
    assert skipped.counts == {Reason.WITHOUT_IMAGE: 1}


SHOPS = {
    "bigcommerce": table(
        ("Item", "ID", "Name", "Type", "SKU", "Description", "Image URL (Import)"),
        ("Product", "77", "Bowl", "physical", "B", "Deep.", ""),
        ("Image", "901", "", "", "", "", "https://s.example/product_images/a.jpg"),
        ("Image", "902", "", "", "", "", "https://s.example/product_images/b.jpg"),
    ),
    "bigcommerce, before": table(
        (
            "Product ID",
            "Product Name",
            "Price",
            "Product Image File - 1",
            "Product Image Sort - 1",
            "Product Image File - 2",
            "Product Image Description - 2",
        ),
        ("77", "Bowl", "3", "a.jpg", "0", "b.jpg", "from above"),
    ),
    "prestashop": table(
        ("Product ID", "Active (0/1)", "Name *", "Image URLs (x,y,z...)"),
        ("77", "1", "Bowl", "https://s.example/img/a.jpg,https://s.example/img/b.jpg"),
        separator=";",
    ),
    "etsy": table(
        ("TITLE", "DESCRIPTION", "PRICE", "IMAGE1", "IMAGE2", "IMAGE3", "SKU"),
        ("Bowl", "Deep.", "3", "https://i.example/a.jpg", "https://i.example/b.jpg", "", "77"),
    ),
    "amazon": "TemplateType=fptcustom\tVersion=2024\tkeep\t\n"
    "Seller SKU\tTitle\tMain Image\tOther Image\n"
    "item_sku\titem_name\tmain_image_url\tother_image_url1\n"
    "77\tBowl\thttps://m.example/I/a.jpg\thttps://m.example/I/b.jpg\n",
    "squarespace": table(
        (
            "Product ID [Non Editable]",
            "Variant ID [Non Editable]",
            "Title",
            "Price",
            "Hosted Image URLs",
        ),
        ("77", "1", "Bowl", "3", "https://s.example/a.jpg https://s.example/b.jpg"),
        ("", "2", "", "4", ""),
    ),
    "wix": table(
        ("handleId", "fieldType", "name", "description", "productImageUrl", "sku"),
        ("77", "Product", "Bowl", "<p>Deep.</p>", "a.jpg;b.jpg", "B"),
        ("77", "Variant", "", "", "", "B-2"),
    ),
    "magento": table(
        ("sku", "name", "base_image", "small_image", "thumbnail_image", "additional_images"),
        ("77", "Bowl", "/a.jpg", "/a.jpg", "/a.jpg", "/a.jpg,/b.jpg"),
    ),
    "numbered": table(
        ("product_id", "name", "image_1", "image_2"), ("77", "Bowl", "a.jpg", "b.jpg")
    ),
    "a list as text": table(
        ("uniq_id", "name", "product_url", "image"),
        ("77", "Bowl", "https://s.example/p/77", "['https://s.example/a.jpg', 'b.jpg']"),
    ),
    "a list as JSON": table(
        ("id", "name", "images"),
        ("77", "Bowl", '[{"src": "x/a.jpg"}, {"src": "//s.example/b.jpg"}]'),
    ).replace("x/a.jpg", "a.jpg"),
    "bars": table(("id", "name", "gallery"), ("77", "Bowl", "a.jpg ! alt : A bowl | b.jpg")),
    "by content alone": table(("id", "name", "Bilder"), ("77", "Bowl", "a.jpg\nb.jpg")),
}


@pytest.mark.parametrize("name", SHOPS)
def test_several_pictures_of_a_product_become_a_listing_each(shop, name):
    listings, skipped = shop(SHOPS[name], "a.jpg", "b.jpg")
    assert places(listings) == [("77", "a.jpg"), ("77", "b.jpg")]
    for _, _, metadata in listings:
        assert "Bowl" in metadata.values()
        assert not {"3", "4", "B", "physical?"} & set(metadata.values())
    assert not skipped.counts or skipped.counts == {Reason.WITHOUT_IMAGE: 1}


def test_objects_in_cells_are_said_in_words_or_left_out(shop):
    rows = [
        {
            "parent_asin": "P",
            "images": [{"thumb": "t.jpg", "large": "a.jpg", "hi_res": None}, {"large": "b.jpg"}],
            "details": {"Colour": "red", "Legs": 4, "Box": {"x": 1}},
            "variants": [{"id": 7}],
            "tags": ["chair", "oak"],
        }
    ]
    listings, _ = shop(json.dumps(rows), "a.jpg", "b.jpg", "t.jpg", file="t.json")
    texts = {"details": "Colour: red; Legs: 4", "tags": "chair; oak"}
    assert [(path, metadata) for _, path, metadata in listings] == [
        ("a.jpg", texts),
        ("b.jpg", texts),
    ]


def test_rows_of_one_product_go_on_with_its_texts_unless_they_have_their_own(shop):
    text = table(
        ("item_id", "filename", "title", "colour", "material"),
        ("1", "a.jpg", "Chair", "red", "oak"),
        ("1", "b.jpg", "", "", ""),
        ("1", "c.jpg", "Chair", "blue", ""),
        ("2", "d.jpg", "", "", ""),
    )
    listings, _ = shop(text, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    chair = {"title": "Chair", "colour": "red", "material": "oak"}
    assert [metadata for *_, metadata in listings] == [
        chair,
        chair,
        {"title": "Chair", "colour": "blue"},
        {},
    ]


def test_variants_know_the_product_that_they_are_variants_of(tmp_path):
    with_tables = {
        "ID,Type,SKU,Name,Images,Parent\n7,variable,cap,Cap,a.jpg,\n8,variation,c-r,,b.jpg,cap\n": (
            ["7", "8"],
            ["cap", "cap"],
        ),
        "ID,Type,SKU,Name,Images,Parent\n7,variable,,Cap,a.jpg,\n8,variation,c,,b.jpg,id:7\n": (
            ["7", "8"],
            ["id:7", "id:7"],
        ),
        "sku,item_group_id,image\nA,G,a.jpg\nB,G,b.jpg\n": (["A", "B"], ["G", "G"]),
        "sku,parent_sku,image\nA,,a.jpg\nB,A,b.jpg\n": (["A", "B"], ["A", "A"]),
        "item_id,image\nA,a.jpg\nA,b.jpg\n": (["A", "A"], ["", ""]),
    }
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    for text, (ids, products) in with_tables.items():
        (tmp_path / "t.csv").write_text(text)
        listings = list(open_catalog(tmp_path / "t.csv").listings(Skipped()))
        assert [one.listing_id for one in listings] == ids
        assert [one.product for one in listings] == products
