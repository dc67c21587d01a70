"""The status page: read-only aiohttp routes on this machine, open while a run works.

Public names: ``Address``, ``parse_address`` and ``served``.
"""

from curator.statuspage.site import Address, parse_address, served

__all__ = ["Address", "parse_address", "served"]
