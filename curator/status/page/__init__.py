"""The status page: read-only aiohttp routes, open while a run works.

Public names: ``Address``, ``parse_address``, ``Watched`` and ``served``.
"""

from curator.status.page.access import parse_address
from curator.status.page.site import Watched, served
from shared.web.access import Address

__all__ = ["Address", "Watched", "parse_address", "served"]
