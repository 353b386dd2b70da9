"""`VAULT_…`: setting `VAULT_ADDR` makes Vault the secret store."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.settings.variables import Variables

_MOUNT: Final = re.compile(r"(?!\.{1,2}(/|$))[\w.-]+(/(?!\.{1,2}(/|$))[\w.-]+)*", re.ASCII)


class VaultSettings(Variables):
    """How to reach and log in to Vault or OpenBao.

    Attributes:
        k8s_token_file: The pod's service account token (`VAULT_K8S_TOKEN_FILE`).
        max_stale: Seconds that cached keys stay usable while Vault doesn't answer.
        poll_interval: Seconds between checks for changes made directly in Vault.
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
        env_prefix="VAULT_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    @field_validator("addr")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is not None and not _is_plain_address(value):
            msg = "an address such as https://vault.example:8200, without user name or query"
            raise ValueError(msg)
        return value

    @field_validator("token")
    @classmethod
    def _token_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not fits_a_header(value.get_secret_value()):
            msg = "a token of printable ASCII characters without spaces"
            raise ValueError(msg)
        return value

    @field_validator("cacert")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            msg = "the path of a file of certificates (PEM)"
            raise ValueError(msg)
        return value

    @field_validator("namespace")
    @classmethod
    def _namespace_fits_a_header(cls, value: str | None) -> str | None:
        if value is not None and not fits_a_header(value):
            msg = "a path of printable ASCII characters without spaces"
            raise ValueError(msg)
        return value

    @field_validator("kv_mount")
    @classmethod
    def _plain_path(cls, value: str) -> str:
        if not _MOUNT.fullmatch(value.strip("/")):
            msg = "a path of letters, digits, `_`, `-` and `.`, such as team/secret"
            raise ValueError(msg)
        return value.strip("/")


def _is_plain_address(text: str) -> bool:
    try:
        split = urlsplit(text)
        named = bool(split.hostname) and split.port != 0
    except ValueError:
        return False
    plain = not (split.username or split.password or split.query or split.fragment)
    return split.scheme in {"http", "https"} and named and plain and fits_a_header(text)
