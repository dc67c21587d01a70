"""Commands that judge pairs: by the listing, by people on a page, and by people elsewhere."""
