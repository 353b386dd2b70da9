"""Fixtures of the tests of live models."""

from tests.unit.live import boot, libraries, runtime, servers, world
from tests.world.fixtures import ca, capture

__all__ = ["boot", "ca", "capture", "libraries", "runtime", "servers", "world"]
