"""Request bodies of the admin's calls.

A missing field changes nothing; null restores the boot default. `model_fields_set` tells them
apart.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.settings.variables import unwrap
from aurorasoc.config.vocabulary import Tlp

MAX_KEY_LENGTH = 4096


def _clean_key(key: SecretStr) -> SecretStr:
    """Take off what wraps a key, and refuse one that doesn't fit into a header."""
    text = unwrap(key.get_secret_value())
    if not text:
        msg = "must not be empty; to remove a key, delete it"
        raise ValueError(msg)
    if len(text) > MAX_KEY_LENGTH or not fits_a_header(text):
        msg = f"must be printable ASCII without spaces, {MAX_KEY_LENGTH} characters at most"
        raise ValueError(msg)
    return SecretStr(text)


Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=255, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
]
Connection = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Key = Annotated[SecretStr, AfterValidator(_clean_key)]


class KeyRequest(BaseModel):
    """A key to store. It is never shown again."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: Key = Field(json_schema_extra={"writeOnly": True})


class ConfigRequest(BaseModel):
    """A switch. A missing field changes nothing; null restores the boot default."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"provider": "deepseek", "model": "deepseek-v4-flash"}]},
    )

    provider: Annotated[Connection, Field(description="A connection's name, or `auto`.")]
    model: Name | None = None
    orchestrator_model: Name | None = None
    base_url: Address | None = None
    api_key: Key | None = Field(None, json_schema_extra={"writeOnly": True})


class PolicyRequest(BaseModel):
    """A change of policy. A missing field changes nothing; null restores the boot default."""

    model_config = ConfigDict(extra="forbid")

    hosted_max_tlp: Tlp | None = None
    local_backend: Connection | None = None
    require_tlp: bool | None = None
