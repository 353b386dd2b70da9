"""A house on the worker's real Vault, and a proxy in front of it."""

from tests.world.vault.fixtures import proxy
from tests.world.vault.members import house

__all__ = ["house", "proxy"]  # pytest finds the fixtures here
