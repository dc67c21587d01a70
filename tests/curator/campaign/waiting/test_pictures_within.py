"""A campaign over a table that holds its pictures, from the file to the data set."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from shared.corpus import read_pairs


async def test_pictures_within_a_table_are_asked_about_and_come_with_the_data_set(stage):
    campaign = await stage()
    files = sorted((campaign.catalog / "images" / "small").rglob("*.jpg"))
    pictures = pa.array(
        [{"bytes": file.read_bytes(), "path": file.name} for file in files],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    table = campaign.folder / "goods.parquet"
    names = [f"S{number}" for number in range(len(files))]
    pq.write_table(pa.table({"sku": names, "title": names, "image": pictures}), table)
    ended = await campaign.run(catalog=table)
    assert ended.code == 0, ended.err
    again = await campaign.run(catalog=table)
    assert again.code == 0
    assert campaign.requests == len(files)
    out = campaign.folder / "out"
    exported = await campaign.command("export", "--out", str(out))
    assert exported.code == 0, exported.err
    pairs = read_pairs(out)
    assert {pair.provenance.listing_id for pair in pairs} == set(names)
    images = campaign.folder / "goods_images"
    contents = {(images / pair.filename).read_bytes() for pair in pairs}
    assert contents == {file.read_bytes() for file in files}
