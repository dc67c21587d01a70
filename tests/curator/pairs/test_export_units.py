"""An exported data set folder keeps all pictures of a product in one split."""

from __future__ import annotations

import gzip
import json

from shared.corpus import read_json, read_pairs


async def test_the_views_of_a_listing_land_in_one_split(stage):
    campaign = await stage()
    products = [
        {
            "item_id": f"P{number}",
            "item_name": [{"language_tag": "en_US", "value": f"thing {number}"}],
            "main_image_id": f"img{number}",
            "other_image_id": [f"img{number + 4}", f"img{number + 8}"],
        }
        for number in range(4)
    ]
    listings = campaign.catalog / "listings" / "metadata" / "listings_0.json.gz"
    listings.write_bytes(gzip.compress("\n".join(map(json.dumps, products)).encode()))
    ended = await campaign.run()
    assert ended.code == 0, ended.err
    folder = campaign.folder / "data"
    assert (await campaign.command("export", "--out", str(folder))).code == 0

    pairs = read_pairs(folder)
    assert len({pair.filename for pair in pairs}) == 12
    sides = {(pair.provenance.listing_id, pair.unit_id, pair.split) for pair in pairs}
    assert len(sides) == 4
    manifest = read_json(folder / "manifest.json")
    assert manifest["units"] == 4
    assert sum(manifest["units_by_split"].values()) == 4
    rule = manifest["split_rule"]
    assert (rule["version"], rule["unit"]) == (2, "product, look-alikes together")
