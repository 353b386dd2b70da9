"""Move keys from the database to Vault: `aurorasoc keys migrate --to vault`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from aurorasoc.config.vocabulary import ConnectionName, is_connection_name
from aurorasoc.core.audit.actions import Action
from aurorasoc.core.database.tables import CredentialRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.secret_store import DatabaseSecretStore
from aurorasoc.llm.adoption.stored import Stored
from aurorasoc.llm.changes.apply import Changer
from aurorasoc.llm.changes.plan import Change, Edited, SetKey


@dataclass(frozen=True, slots=True)
class Stranded:
    """A key that is still sealed in the database.

    Attributes:
        key: The key to write to Vault; None if no seed here opens it.
    """

    connection: ConnectionName
    key: SetKey | None


async def stranded_keys(changer: Changer, keyring: Keyring) -> list[Stranded]:
    """List keys in the database, and whether they can be moved.

    Raises:
        DatabaseUnavailable: The rows can't be read.
    """
    sealed = DatabaseSecretStore(keyring)
    async with changer.database.reading() as session:
        rows = await session.scalars(select(CredentialRow).where(CredentialRow.token.is_not(None)))
        opened = [(row, sealed.open_row(row)) for row in rows]
    return [
        Stranded(
            row.connection,
            SetKey(row.connection, row.origin, credential.api_key)
            if credential.api_key is not None
            else None,
        )
        for row, credential in opened
        if is_connection_name(row.connection)
    ]


async def move_to_vault(changer: Changer, stranded: Stranded, *, actor: str) -> None:
    """Write one key to Vault, bound to the same origin, and pin it in place of the token.

    Raises:
        SecretStoreUnavailable, ChangeInProgress: The key was not moved.
        OutcomeUnknown: The key may have been moved.
    """
    key = stranded.key
    if key is None:
        return

    def edit(before: Stored) -> Edited:
        return Edited(before.config, key, {"origin": key.origin})

    change = Change(Action.KEY_MOVED_TO_VAULT, key.connection, edit)
    await changer.apply(change, actor=actor, if_match=None)
