"""Which version of a secret is in force: the database pins it, Vault holds it."""

from __future__ import annotations

from typing import NamedTuple

from aurorasoc.core.database.tables import CredentialRow


class Pin(NamedTuple):
    """A version, and the id of the write that made it: after a deletion versions begin again."""

    version: int
    operation_id: str


def pin_of_row(row: CredentialRow | None) -> Pin | None:
    """Give what a row pins; None for a key that isn't in Vault."""
    if row is None or row.vault_version is None:
        return None
    return Pin(row.vault_version, row.operation_id)
