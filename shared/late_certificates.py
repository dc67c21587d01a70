"""TLS contexts that read the certificates they trust when they are first used."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_READ: Final = "set_default_verify_paths"
_read_now: Final = ssl.SSLContext.set_default_verify_paths


class LateContext(ssl.SSLContext):
    """Reads the machine's certificates before it first wraps a connection; till then, has none."""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:  # noqa: ANN401 - as it is
        """Return what speaks TLS over a pair of buffers."""
        self._read()
        return self.wrap_bio(*args, **options)

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401 - as it is
        """Return a socket that speaks TLS."""
        self._read()
        return self.wrap_socket(*args, **options)

    def _read(self) -> None:
        _read_now(self)
        # From now on it is like any other.
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]


@contextmanager
def certificates_read_late() -> Iterator[None]:
    """Within it, contexts that are made read no certificates until they are used."""
    # A library that puts the system's own trust in place of Python's has contexts of its own.
    if _READ in vars(ssl.SSLContext):
        yield
        return

    def later(context: ssl.SSLContext) -> None:
        if type(context) is ssl.SSLContext:
            context.__class__ = LateContext
        else:
            _read_now(context)

    setattr(ssl.SSLContext, _READ, later)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READ)
