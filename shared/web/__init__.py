"""Pages over HTTP; needs aiohttp, which comes with the extras of the parts that serve some."""
