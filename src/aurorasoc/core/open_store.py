"""Which secret store this process uses. Configuration chooses it, not health.

It knows both stores, and so stands above them.
"""

from __future__ import annotations

from aurorasoc.config.settings import Settings
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.secret_store import DatabaseSecretStore, SecretStore
from aurorasoc.errors import ConfigurationError


def open_secret_store(settings: Settings, keyring: Keyring) -> SecretStore:
    """Open the store that the configuration names: Vault, if `VAULT_ADDR` is set.

    Raises:
        ConfigurationError: VAULT_ADDR is set without a login.
    """
    vault = settings.vault
    if vault.addr is None:
        return DatabaseSecretStore(keyring)
    if not (vault.token or vault.role_id or vault.k8s_role):
        detail = (
            "VAULT_ADDR is set without a login; expected: VAULT_TOKEN, or VAULT_ROLE_ID with "
            "VAULT_SECRET_ID, or VAULT_K8S_ROLE."
        )
        raise ConfigurationError(detail)
    from aurorasoc.core.vault.client import VaultClient  # noqa: PLC0415 - hvac costs 66 ms
    from aurorasoc.core.vault.store import VaultSecretStore  # noqa: PLC0415 - with it

    return VaultSecretStore(VaultClient(vault), keyring, vault.max_stale)
