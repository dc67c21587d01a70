"""Product feeds in XML, and answers of shops' APIs in JSON."""

from __future__ import annotations

import gzip
import json

import pytest

from curator.catalog import Reason, open_catalog
from shared.errors import InputError
from tests.curator.catalog.tables import places

MERCHANT = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>
<title>Pots</title><link>https://s.example</link><description>All of them</description>
<item><g:id>K1</g:id><title>Red kettle</title><link>https://s.example/k1</link>
<description><![CDATA[<p>Holds <b>two</b> litres.</p>]]></description>
<g:image_link>https://s.example/i/k1.jpg?w=800&amp;v=2</g:image_link>
<g:additional_image_link>https://s.example/i/k2.jpg</g:additional_image_link>
<g:additional_image_link>https://s.example/i/k3.jpg</g:additional_image_link>
<g:price>25.00 EUR</g:price><g:availability>in_stock</g:availability><g:color>red</g:color>
<g:product_detail><g:section_name>Body</g:section_name><g:attribute_name>Lid</g:attribute_name>
<g:attribute_value>steel</g:attribute_value></g:product_detail>
<g:shipping><g:country>DE</g:country><g:price>4 EUR</g:price></g:shipping></item>
<item><g:id>K2</g:id><g:title>Pan</g:title><g:image_link>https://s.example/none.jpg</g:image_link>
</item></channel></rss>"""


def test_a_merchant_feed_gives_each_link_a_listing_without_price_and_namespace(shop):
    listings, skipped = shop(MERCHANT, "i/k1.jpg", "i/k2.jpg", "k3.jpg", file="feed.xml")
    kettle = {
        "title": "Red kettle",
        "description": "Holds two litres.",
        "color": "red",
        "product_detail": "Lid: steel",
    }
    assert listings == [(("K1"), name, kettle) for name in ("i/k1.jpg", "i/k2.jpg", "k3.jpg")]
    assert skipped.counts == {Reason.URL: 1}
    packed = gzip.compress(MERCHANT.encode("utf-8"))
    assert shop(packed, "k1.jpg", file="feed.xml.gz")[0] == listings


FEEDS = {
    "atom": '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">'
    "<title>Pots</title><link href='https://s.example'/><entry><g:id>77</g:id>"
    "<g:title>Bowl</g:title><g:image_link>https://s.example/a.jpg</g:image_link>"
    "<g:additional_image_link>https://s.example/b.jpg</g:additional_image_link></entry></feed>",
    "yml": '<?xml version="1.0" encoding="windows-1251"?>\n'
    '<!DOCTYPE yml_catalog SYSTEM "shops.dtd"><yml_catalog date="2026-01-01"><shop>'
    '<categories><category id="1">Посуда</category></categories><offers>'
    '<offer id="77" available="true"><price>3</price><categoryId>1</categoryId>'
    "<picture>https://s.example/a.jpg</picture><picture>https://s.example/b.jpg</picture>"
    '<name>Bowl</name><param name="Color">white</param></offer></offers></shop></yml_catalog>',
    "heureka": "<SHOP><SHOPITEM><ITEM_ID>77</ITEM_ID><PRODUCTNAME>Bowl</PRODUCTNAME>"
    "<IMGURL>https://s.example/a.jpg</IMGURL>"
    "<IMGURL_ALTERNATIVE>https://s.example/b.jpg</IMGURL_ALTERNATIVE><PRICE_VAT>3</PRICE_VAT>"
    "<PARAM><PARAM_NAME>Color</PARAM_NAME><VAL>white</VAL></PARAM></SHOPITEM></SHOP>",
    "of one's own": "<katalog><stand>heute</stand><teller><sku>77</sku><name>Bowl</name>"
    "<images><image url='a.jpg'/><image url='b.jpg'/></images></teller>"
    "<teller><sku>78</sku><name>Plate</name><images/></teller></katalog>",
    "attributes alone": "<shop><row sku='77' name='Bowl' image='a.jpg|b.jpg' price='3'/>"
    "<row sku='78' name='Jug' image=''/></shop>",
    "one product": "<product><id>77</id><name>Bowl</name><image>a.jpg</image>"
    "<image>b.jpg</image></product>",
    "products in products": "<products><product><id>77</id><name>Bowl</name>"
    "<image>a.jpg</image><image>b.jpg</image>"
    "<related><product><id>5</id></product></related></product></products>",
}


@pytest.mark.parametrize("name", FEEDS)
def test_feeds_of_other_sites_name_products_and_pictures_in_their_own_way(shop, name):
    content = FEEDS[name].encode("cp1251" if "1251" in FEEDS[name] else "utf-8")
    listings, skipped = shop(content, "a.jpg", "b.jpg", file="feed.xml")
    assert places(listings) == [("77", "a.jpg"), ("77", "b.jpg")]
    for _, _, texts in listings:
        assert "Bowl" in texts.values()
        assert "3" not in texts.values()
        assert texts.get("Color", "white") == "white"
    assert not skipped.counts or skipped.counts == {Reason.WITHOUT_IMAGE: 1}


def test_xml_is_told_by_how_it_begins_where_the_name_does_not_say(shop):
    listings, _ = shop(FEEDS["heureka"].replace("<SHOP>", "<?xml version='1.0'?><SHOP>"), "a.jpg",
                       file="export.txt")  # fmt: skip
    assert places(listings) == [("77", "a.jpg")]


ENTITIES = {
    "of its own": '<!DOCTYPE r [<!ENTITY a "b">]>'
    "<r><item><id>1</id><image>&a;.jpg</image></item></r>",
    "of a file": '<!DOCTYPE r [<!ENTITY a SYSTEM "secret.txt">]>'
    "<r><item><id>1</id><image>a.jpg</image><title>&a;</title></item></r>",
    "of parameters": '<!DOCTYPE r [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]>'
    "<r><item><id>1</id><image>a.jpg</image></item></r>",
}


@pytest.mark.parametrize("kind", ENTITIES)
def test_entities_that_a_file_defines_are_refused_and_nothing_outside_it_is_read(tmp_path, kind):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "a.jpg").touch()
    (tmp_path / "feed.xml").write_text(ENTITIES[kind])
    with pytest.raises(InputError, match=r"feed\.xml: defines entities of its own"):
        open_catalog(tmp_path / "feed.xml")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<r><item><id>1</id></r>", "well-formed"),
        ("<r>text</r>", "no elements of products"),
        ('<?xml version="1.0" encoding="klingon"?><r/>', "unknown encoding"),
        ("<r><item><id>1</id><t>&nbsp;</t></item></r>", "undefined entity"),
        ("<!DOCTYPE html><html><br></html>", "is a web page"),
        ("", "well-formed"),
    ],
)
def test_xml_that_is_no_catalogue_says_so_in_one_line(tmp_path, text, part):
    (tmp_path / "feed.xml").write_text(text)
    with pytest.raises(InputError, match=part) as error:
        open_catalog(tmp_path / "feed.xml")
    assert "\n" not in str(error.value)


def product(number: int, *names: str) -> dict:
    return {"id": number, "title": f"thing {number}", "images": [{"src": name} for name in names]}


NESTED = {
    "pages, one a line": "\n".join(
        json.dumps({"products": [product(n, f"{n}.jpg")], "page": n}) for n in (1, 2)
    ),
    "Shopify's GraphQL": {
        "data": {
            "products": {
                "edges": [
                    {"node": {"id": n, "title": f"thing {n}",
                              "images": {"edges": [{"node": {"url": f"https://c.example/{n}.jpg"}}]}}}
                    for n in (1, 2)
                ],
                "pageInfo": {"hasNextPage": False},
            }
        }
    },
    "lists in categories": {
        "categories": [
            {"name": "A", "products": [product(1, "1.jpg")]},
            {"name": "B", "products": [product(2, "2.jpg")]},
        ]
    },
    "Elasticsearch": {
        "took": 3,
        "hits": {"hits": [{"_id": "x", "_source": product(n, f"{n}.jpg")} for n in (1, 2)]},
    },
    "Airtable": {
        "records": [
            {"id": str(n), "fields": {"title": f"thing {n}", "Photo": [{"url": f"{n}.jpg"}]}}
            for n in (1, 2)
        ]
    },
    "a logo beside the list": {
        "shop": {"logo": "logo.png"},
        "products": [product(1, "1.jpg"), product(2, "2.jpg")],
    },
    "by id": {"p1": product(1, "1.jpg"), "p2": product(2, "2.jpg")},
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_products_are_found_however_deep_an_answer_wraps_them(shop, name):
    content = NESTED[name] if isinstance(NESTED[name], str) else json.dumps(NESTED[name], indent=1)
    listings, _ = shop(content, "1.jpg", "2.jpg", file="answer.json")
    assert [(product, path) for product, path, _ in listings] == [("1", "1.jpg"), ("2", "2.jpg")]
    assert [texts["title"] for *_, texts in listings] == ["thing 1", "thing 2"]
    if "categories" in name:
        assert [texts["listed under"] for *_, texts in listings] == ["A", "B"]


def test_values_of_any_depth_are_looked_at_no_further_than_makes_sense(shop):
    deep = "<item><id>1</id><image>a.jpg</image>" + "<x>" * 3000 + "z" + "</x>" * 3000 + "</item>"
    ((_, path, texts),) = shop(f"<r>{deep}</r>", "a.jpg", file="t.xml")[0]
    assert (path, texts) == ("a.jpg", {"x": "z"})
    lists = "[" * 300 + "1" + "]" * 300
    row = f'[{{"id": 1, "image": "a.jpg", "media": {lists}, "specs": {lists}}}]'
    assert shop(row, "a.jpg", file="t.json")[0] == [("1", "a.jpg", {})]


def test_what_a_product_says_of_others_are_no_products(shop):
    row = {**product(1, "1.jpg"), "related": [product(2, "2.jpg")]}
    for content in (json.dumps(row), json.dumps([row]), json.dumps(row) + "\n" + json.dumps(row)):
        listings, _ = shop(content, "1.jpg", "2.jpg", file="t.json")
        assert set(places(listings)) == {("1", "1.jpg")}
