"""`VAULT_…`: set `VAULT_ADDR`, and Vault is the secret store."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class VaultSettings(BaseSettings):
    """How Vault (or OpenBao) is reached.

    Attributes:
        k8s_token_file: The pod's own token (`VAULT_K8S_TOKEN_FILE`).
        max_stale: Seconds that keys held in memory serve while Vault doesn't answer.
        poll_interval: Seconds between looks for changes made in Vault itself.
    """

    addr: str | None = None
    token: SecretStr | None = None
    role_id: str | None = None
    secret_id: SecretStr | None = None
    k8s_role: str | None = None
    k8s_token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    namespace: str | None = None
    cacert: Path | None = None
    kv_mount: str = "secret"
    max_stale: float = Field(24 * 3600, gt=0)
    poll_interval: float = Field(30, gt=0)

    model_config = SettingsConfigDict(
        env_prefix="VAULT_", env_ignore_empty=True, extra="ignore", frozen=True
    )
