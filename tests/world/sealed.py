"""An installation with keys sealed under a seed, made without the service, and read back raw."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import SecretStr

from aurorasoc.core.audit.actions import Action
from aurorasoc.core.audit.log import AuditEvent, AuditLog
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import AuditKeyRow, CredentialRow
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.secret_store import DatabaseSecretStore, Stamp
from tests.world.databases import Stored

ORIGINS: Final = {
    "anthropic": "https://api.anthropic.com:443",
    "deepseek": "https://api.deepseek.com:443",
    "gemini": "https://generativelanguage.googleapis.com:443",
    "openai": "https://api.openai.com:443",
    "vllm": "http://localhost:8000",
}
"""Every provider that takes a key, and where its calls go when nothing is set."""

Dump = dict[str, list[tuple[Any, ...]]]

CHANGED_BY_ROTATION: Final = {
    "llm_provider_credentials": {"token", "key_id"},
    "user_audit_keys": {"token"},
}


def ring(*seeds: str) -> Keyring:
    """Make a keyring; the first seed seals."""
    return Keyring([SecretStr(seed) for seed in seeds])


async def install(
    database: Database,
    seed: str,
    *,
    providers: Sequence[str] = (*ORIGINS,),
    origins: Mapping[str, str] = ORIGINS,
    audit_keys: int = 0,
) -> dict[str, str]:
    """Store a key for each connection, with its audit entry, and further wrapped audit keys.

    Returns:
        The keys by provider.
    """
    keyring = ring(seed)
    store, log = DatabaseSecretStore(keyring), AuditLog(keyring)
    keys = {provider: f"sk-{provider}-{secrets.token_hex(12)}" for provider in providers}
    for number, (provider, key) in enumerate(keys.items()):
        stamp = Stamp(f"operation-{number}", f"setter-{number}", 1_700_000_000_000_000 + number)
        origin = origins[provider]
        async with database.transaction() as session:
            sealed = await store.write(provider, origin, SecretStr(key), stamp)
            session.add(
                CredentialRow(
                    connection=provider,
                    origin=origin,
                    token=sealed.token,
                    key_id=sealed.key_id,
                    last4=key[-4:],
                    operation_id=stamp.operation_id,
                    set_by=stamp.set_by,
                    set_us=stamp.set_us,
                )
            )
            await log.append(session, AuditEvent(stamp.set_by, Action.KEY_SET, provider))
    async with database.transaction() as session:
        for number in range(audit_keys):  # older than the one in use
            token = keyring.seal("audit-key", secrets.token_bytes(32)).token
            session.add(AuditKeyRow(key_id=f"{number:016x}", token=token, created_us=number))
    return keys


def but_for_rotation(stored: Stored) -> Dump:
    """Read all that a rotation leaves alone: the audit entries that it adds are left out."""
    read = stored.dump()
    for table, changed in CHANGED_BY_ROTATION.items():
        kept = [i for i, name in enumerate(stored.columns(table)) if name not in changed]
        read[table] = sorted((tuple(row[i] for i in kept) for row in read[table]), key=repr)
    entry = stored.columns("user_audit_log").index("entry")
    added = {"llm.key.resealed", "audit.key.rewrapped"}
    read["user_audit_log"] = [
        row for row in read["user_audit_log"] if json.loads(row[entry])["action"] not in added
    ]
    return read


def opened(stored: Stored, *seeds: str) -> dict[str, str]:
    """Open every credential that these seeds open: the keys by provider."""
    store, keys = DatabaseSecretStore(ring(*seeds)), {}
    names = stored.columns("llm_provider_credentials")
    for values in stored.dump()["llm_provider_credentials"]:
        fields = dict(zip(names, values, strict=True))
        row = CredentialRow(connection=fields.pop("provider"), **fields)
        key = store.open_row(row).api_key
        if key is not None:
            keys[row.connection] = key.get_secret_value()
    return keys
