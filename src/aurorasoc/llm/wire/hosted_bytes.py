"""When this process last exchanged a byte with a hosted provider."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aurorasoc.core.clock import Clock, now_us
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG


class HostedBytes:
    """Remembers the moment.

    Args:
        clock: Returns the present moment.

    Attributes:
        last_us: When a byte was last sent or received, in microseconds; None: never.
    """

    def __init__(self, clock: Clock = now_us) -> None:
        self._clock = clock
        self.last_us: int | None = None

    def note(self, reference: ModelReference) -> None:
        """Note that bytes are exchanged with a provider now; only hosted ones count."""
        if not CATALOG[reference.provider].may_be_local:
            self.last_us = self._clock()

    @contextmanager
    def exchanging(self, reference: ModelReference) -> Iterator[None]:
        """Note it at the beginning and at the end, however that comes: bytes came in between."""
        self.note(reference)
        try:
            yield
        finally:
            self.note(reference)


HOSTED_BYTES: Final = HostedBytes()
"""This process's, as its connections are."""
