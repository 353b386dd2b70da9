"""Provider secrets in a KV version 2 engine of Vault or OpenBao.

https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from hvac.adapters import Adapter
from hvac.api.secrets_engines import KvV2
from pydantic import SecretStr

from aurorasoc.config.settings.variables import unwrap
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.core.vault.answers import (
    Answer,
    VaultConflict,
    VaultProblem,
    VaultUndecided,
    field,
    require_mount,
    require_success,
)
from aurorasoc.core.vault.key_version import KeyVersion
from aurorasoc.core.vault.renewal import TokenRenewal
from aurorasoc.core.vault.session import VaultSession
from aurorasoc.core.vault.transport import VaultTransport

FOLDER: Final = "aurorasoc/llm-providers"

_VERSION_1: Final = (
    "The KV engine at VAULT_KV_MOUNT is version 1, which keeps no versions. Enable version 2 "
    "(`vault kv enable-versioning`), or name another mount."
)


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """One version of a secret.

    Attributes:
        name: The provider.
        version: Counts from 1; restarts at 1 after a full deletion.
        created: Vault's creation time; distinguishes two first versions.
        fields: Its text fields; hidden from `repr`.
    """

    name: str
    version: int
    created: str
    fields: Mapping[str, SecretStr]

    @property
    def key_version(self) -> KeyVersion:
        """The version to pin; one written by hand gets an id made from Vault's metadata."""
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.name}/{self.version}/{self.created}")
        return KeyVersion(self.version, (self.text("operation_id") or str(made))[:36])

    @property
    def api_key(self) -> SecretStr | None:
        """The key, without the line end that `echo key | vault kv put` appends."""
        key = self.fields.get("api_key")
        text = unwrap(key.get_secret_value()) if key else ""
        return SecretStr(text) if text else None

    def text(self, name: str) -> str | None:
        """Return a field that isn't secret."""
        value = self.fields.get(name)
        return None if value is None else value.get_secret_value()


class VaultClient:
    """Reads and writes provider secrets at `<mount>/aurorasoc/llm-providers/<provider>`.

    Args:
        settings: Address, login and mount.
    """

    def __init__(self, settings: VaultSettings) -> None:
        self._mount = settings.kv_mount
        self._transport = VaultTransport(settings)
        self._session = VaultSession(settings, self._transport)
        self._renewal = TokenRenewal(self._session)

    async def read(self, name: str, version: int | None = None) -> VaultSecret | None:
        """Return a version of a secret; None if there is none, or it was deleted.

        Args:
            name: The provider.
            version: None means the newest.

        Raises:
            VaultProblem: Vault refuses or doesn't answer.
        """
        answer = await self._session.ask(
            lambda vault: KvV2(vault).read_secret_version(
                f"{FOLDER}/{name}", version, self._mount, raise_on_deleted_version=False
            )
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._require_version_2(answer)
            return None
        require_success(answer)
        return _secret(name, answer)

    async def current_version(self, name: str) -> int:
        """Return the version that check-and-set must name; 0 for a secret that never existed.

        A soft-deleted secret needs its current version, not 0.

        Raises:
            VaultProblem: Vault refuses or doesn't answer.
        """
        answer = await self._session.ask(
            lambda vault: KvV2(vault).read_secret_metadata(f"{FOLDER}/{name}", self._mount)
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._require_version_2(answer)
            return 0
        require_success(answer)
        return field(answer, int, "data", "current_version")

    async def write(self, name: str, fields: Mapping[str, str], *, cas: int) -> int:
        """Write a new version if the current one is `cas`; return its number.

        Raises:
            VaultConflict: The current version isn't `cas`.
            VaultUndecided: It may have been written.
            VaultProblem: It was not written.
        """
        answer = await self._session.ask(
            lambda vault: KvV2(vault).create_or_update_secret(
                f"{FOLDER}/{name}", dict(fields), cas, self._mount
            ),
            writes=True,
        )
        if answer.status == HTTPStatus.BAD_REQUEST and "check-and-set" in answer.errors:
            detail = "The secret was changed in Vault meanwhile. Try again."
            raise VaultConflict(detail)
        if answer.status == HTTPStatus.NOT_FOUND:
            require_mount(answer)
        require_success(answer, wrote=True)
        if answer.status == HTTPStatus.NO_CONTENT:
            raise VaultUndecided(_VERSION_1)
        return field(answer, int, "data", "version", wrote=True)

    async def delete(self, name: str) -> None:
        """Remove all versions and the metadata, if any.

        Raises:
            VaultUndecided: It may have been removed.
            VaultProblem: It was not removed.
        """
        await self.current_version(name)  # a version 1 engine would report success
        answer = await self._session.ask(
            lambda vault: KvV2(vault).delete_metadata_and_all_versions(
                f"{FOLDER}/{name}", self._mount
            ),
            writes=True,
        )
        if answer.status == HTTPStatus.NOT_FOUND:
            require_mount(answer)
            return
        require_success(answer, wrote=True)

    async def keep_token(self) -> None:
        """Renew the token before it expires, until cancelled."""
        await self._renewal.run()

    @property
    def token_ending(self) -> bool:
        """Whether a static token expires soon."""
        return self._renewal.ending

    def close(self) -> None:
        """Shut down the threads."""
        self._transport.close()

    async def _require_version_2(self, missing: Answer) -> None:
        """Check that a 404 comes from a version 2 engine.

        A version 1 engine treats `data/…` as an ordinary name: it answers 404 to every read and
        204 to every write. Metadata prove version 2; without them, ask as `vault kv` does.

        Raises:
            VaultProblem: The mount is missing or isn't version 2, or Vault doesn't answer.
        """
        require_mount(missing)
        if isinstance(missing.body.get("data"), dict):
            return
        answer = await self._session.ask(self._mount_request)
        require_success(answer)
        options = field(answer, dict, "data").get("options")
        if not isinstance(options, dict) or options.get("version") != "2":
            raise VaultProblem(_VERSION_1, "denied")

    def _mount_request(self, vault: Adapter) -> Answer:
        answer: Answer = vault.get(f"/v1/sys/internal/ui/mounts/{self._mount}")
        return answer


def _secret(name: str, answer: Answer) -> VaultSecret:
    if "metadata" not in field(answer, dict, "data"):
        raise VaultProblem(_VERSION_1, "denied")
    fields = field(answer, dict, "data", "data")
    return VaultSecret(
        name=name,
        version=field(answer, int, "data", "metadata", "version"),
        created=field(answer, str, "data", "metadata", "created_time"),
        fields={str(k): SecretStr(v) for k, v in fields.items() if isinstance(v, str)},
    )
