"""A bundle with a page beside it: asked in a browser, with no server but one of plain files."""
