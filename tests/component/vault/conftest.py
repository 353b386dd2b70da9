"""A real Vault, shared or to break, a house on it, and a proxy in front of it."""

from tests.world.vault.fixtures import proxy, through, vault
from tests.world.vault.members import house

__all__ = ["house", "proxy", "through", "vault"]  # pytest finds the fixtures here
