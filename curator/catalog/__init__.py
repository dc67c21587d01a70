"""Catalogues of products, in the forms that they come in, as listings."""

from curator.catalog.catalog import Catalog, nothing_usable
from curator.catalog.opening import open_catalog
from curator.catalog.skipped import Reason, Skipped

__all__ = ["Catalog", "Reason", "Skipped", "nothing_usable", "open_catalog"]
