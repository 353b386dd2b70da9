"""Fixtures of the tests that need a runtime."""

from tests.unit.live import boot, libraries, runtime, servers, world
from tests.world.fixtures import ca

__all__ = ["boot", "ca", "libraries", "runtime", "servers", "world"]  # pytest finds them here
