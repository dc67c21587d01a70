"""A folder served over HTTP on loopback, which can be told to fail."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileServer(http.server.ThreadingHTTPServer):
    """Answers 500 to everything while ``broken``."""

    broken = False

    @property
    def url(self) -> str:
        """Return where the folder is."""
        return f"http://127.0.0.1:{self.server_port}"


class _Files(http.server.SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.server.broken:  # type: ignore[attr-defined]
            self.send_error(500)
        else:
            super().do_GET()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_folder(folder: Path) -> Iterator[FileServer]:
    """Serve ``folder`` for the time of the block."""
    with FileServer(("127.0.0.1", 0), functools.partial(_Files, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
