"""The active version of a key: the database names it, Vault holds it."""

from __future__ import annotations

from typing import NamedTuple

from aurorasoc.core.database.tables import CredentialRow


class KeyVersion(NamedTuple):
    """A version, and the id of its write: version numbers restart after a deletion."""

    version: int
    operation_id: str


def key_version_of(row: CredentialRow | None) -> KeyVersion | None:
    """Return the version that a row names; None for a key that isn't in Vault."""
    if row is None or row.vault_version is None:
        return None
    return KeyVersion(row.vault_version, row.operation_id)
