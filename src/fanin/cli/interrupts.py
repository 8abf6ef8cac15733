"""Ctrl-C that nothing swallows."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_AGAIN = 0.05
"""Seconds after which the callback that swallowed it should have ended."""


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Raise a KeyboardInterrupt again where Python had to ignore it inside the block.

    In a callback nobody can catch it: JAX has one at every garbage collection, which would lose one
    Ctrl-C in ten.
    """
    before = sys.unraisablehook

    def again(ignored: Any) -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            threading.Timer(_AGAIN, _thread.interrupt_main).start()
        else:
            before(ignored)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before
