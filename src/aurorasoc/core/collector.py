"""Imports make a million objects that stay: looking through them meanwhile costs time twice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_off() -> Iterator[None]:
    """Leave the garbage collector off for a while, and what was made then out of its sight.

    It is a sixth of a start, and stalls a loop that serves while a thread imports.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
