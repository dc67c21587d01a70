"""Opens catalogues of the hub, one after the other, and prints how many pictures each has."""

from __future__ import annotations

import sys

from curator.catalog import Skipped, local_catalogue, open_catalog

for address in sys.argv[1:]:
    with_pictures = "addresses" not in address
    catalog = open_catalog(*local_catalogue(address, None, with_pictures=with_pictures))
    print(len({listing.image.path for listing in catalog.listings(Skipped())}))
