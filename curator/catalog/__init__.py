"""Catalogues of products, in the forms that they come in, as listings."""

from curator.catalog.catalog import Catalog, nothing_usable
from curator.catalog.opening import open_catalog
from curator.catalog.skipped import MAY_APPEAR, Reason, Skipped

__all__ = ["MAY_APPEAR", "Catalog", "Reason", "Skipped", "nothing_usable", "open_catalog"]
