"""Catalogues that are tables of products."""
