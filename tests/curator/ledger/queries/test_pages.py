"""What is read page by page is opened once, and the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading

from curator.ledger.queries.pages import Pages


async def test_pages_are_opened_once_and_beside_the_event_loop(ledger, monkeypatch):
    opened_in, begin = [], Pages.__init__

    def opening(pages, path):
        opened_in.append(threading.current_thread())
        begin(pages, path)

    monkeypatch.setattr(Pages, "__init__", opening)
    pages = await asyncio.gather(*(ledger.opened_pages() for _ in range(5)))
    assert len(set(map(id, pages))) == len(opened_in) == 1
    assert opened_in[0] is not threading.main_thread()
    assert await pages[0].newest(1, 12) == []
