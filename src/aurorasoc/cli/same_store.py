"""Refuse to write keys to another store than the service does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aurorasoc.errors import ConfigurationError

if TYPE_CHECKING:
    from aurorasoc.runtime import Runtime


async def require_same_store(runtime: Runtime) -> None:
    """Refuse a change of keys at a shell without Vault, where stored keys are in Vault.

    Configuration chooses the store, so such a shell would use the database: the service would
    read the key from there, or lose sight of the one in Vault.

    Raises:
        ConfigurationError: A stored key is in Vault, and `VAULT_ADDR` isn't set here.
    """
    from sqlalchemy import select  # noqa: PLC0415 - costs time

    from aurorasoc.core.database.tables import CredentialRow  # noqa: PLC0415 - with it

    if runtime.settings.vault.addr is not None:
        return
    pinned = select(CredentialRow.connection).where(CredentialRow.vault_version.is_not(None))
    async with runtime.database.reading() as session:
        in_vault = await session.scalar(pinned.limit(1))
    if in_vault is not None:
        detail = (
            "Keys are stored in Vault here, and this shell has no VAULT_ADDR. Set the VAULT_… "
            "variables as the service has them."
        )
        raise ConfigurationError(detail)
