"""Garbage collection is off during imports: they create a million long-lived objects."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Disable the garbage collector, then exempt the objects created meanwhile.

    Collection takes a sixth of a start, and stalls the event loop while a thread imports.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
