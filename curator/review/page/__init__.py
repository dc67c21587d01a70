"""The page on which people look at pairs: aiohttp routes, open while `curator view` works."""
