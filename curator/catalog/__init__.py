"""Catalogues of products, in the forms that they come in, as listings."""

from curator.catalog.catalog import (
    OUTSIDE,
    UNKNOWN_IMAGE,
    WITHOUT_IMAGE,
    Catalog,
    open_catalog,
)

__all__ = ["OUTSIDE", "UNKNOWN_IMAGE", "WITHOUT_IMAGE", "Catalog", "open_catalog"]
