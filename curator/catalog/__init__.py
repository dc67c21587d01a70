"""Catalogues of products, in the forms that they come in, as listings."""

from curator.catalog.catalog import Catalog, fields_of, nothing_usable
from curator.catalog.given import local_catalogue
from curator.catalog.named_columns import NO_COLUMNS, NamedColumns, catalog_columns
from curator.catalog.opening import open_catalog, picture_urls
from curator.catalog.skipped import MAY_APPEAR, Reason, Skipped

__all__ = [
    "MAY_APPEAR",
    "NO_COLUMNS",
    "Catalog",
    "NamedColumns",
    "Reason",
    "Skipped",
    "catalog_columns",
    "fields_of",
    "local_catalogue",
    "nothing_usable",
    "open_catalog",
    "picture_urls",
]
