"""`LLM_CONNECTION_<NAME>_…`: connections that the environment declares beside the built-in ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

from dotenv import dotenv_values
from pydantic import BeforeValidator, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from aurorasoc.config.settings.llm import ConnectionSettings
from aurorasoc.config.settings.variables import unwrap
from aurorasoc.config.vocabulary import (
    BUILT_IN,
    ConnectionName,
    ServingBackend,
    Tlp,
    is_connection_name,
    lowered,
)
from aurorasoc.errors import ConfigurationError

PREFIX: Final = "LLM_CONNECTION_"
_FIELDS: Final = ("PROVIDER", "BASE_URL", "MODEL", "ORCHESTRATOR_MODEL", "API_KEY", "MAX_TLP")
_DECLARES: Final = re.compile(rf"{PREFIX}(?P<name>.+)_PROVIDER")


class NamedConnectionSettings(ConnectionSettings):
    """One declared connection's boot defaults."""

    max_tlp: Tlp | None = None
    provider: Annotated[ServingBackend, BeforeValidator(lowered)]

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @field_validator("provider")
    @classmethod
    def _takes_what_is_set(cls, value: ServingBackend, info: ValidationInfo) -> ServingBackend:
        """Refuse a field that this provider doesn't take; the fields before it are read already."""
        if value is ServingBackend.GEMINI and info.data.get("base_url") is not None:
            msg = "a provider that takes a base URL: gemini takes none"
            raise ValueError(msg)
        if value is ServingBackend.OLLAMA and info.data.get("api_key") is not None:
            msg = "a provider that takes a key: ollama takes none"
            raise ValueError(msg)
        return value


def variable_prefix(name: ConnectionName) -> str:
    """Return how the variables of a named connection begin: `LLM_CONNECTION_EU_AZURE_`."""
    return f"{PREFIX}{name.upper().replace('-', '_')}_"


def declared_names(files: Iterable[Path], encoding: str) -> list[ConnectionName]:
    """Return the names that the environment, or a file of variables, declares.

    Args:
        files: Files that may declare some, too; one that isn't there declares none.
        encoding: The files' encoding.

    Raises:
        ConfigurationError: A variable declares a name that can't be one, or configures a
            connection that nothing declares, or two at once.
    """
    variables = {name for name in _set(files, encoding) if name.startswith(PREFIX)}
    names = sorted(_name(match["name"]) for match in map(_DECLARES.fullmatch, variables) if match)
    configured = [variable_prefix(name) + field for name in names for field in _FIELDS]
    for stray in sorted(variables - {*configured}):
        detail = (
            f"{stray} configures no connection: {PREFIX}<NAME>_PROVIDER declares one, and "
            f"{', '.join(f'_{field}' for field in _FIELDS[1:])} configure it."
        )
        raise ConfigurationError(detail)
    for shared in sorted(name for name in variables if configured.count(name) > 1):
        detail = f"{shared} would configure two connections. Give one of them another name."
        raise ConfigurationError(detail)
    return names


def _set(files: Iterable[Path], encoding: str) -> set[str]:
    """Return the names of the variables that aren't empty, in upper case.

    The environment counts before the files, the last file first, as for the values.
    """
    variables: dict[str, str | None] = {}
    for file in files:
        if file.is_file():
            variables |= dotenv_values(file, encoding=encoding, interpolate=False)
    variables |= os.environ
    effective = {name.upper(): value for name, value in variables.items()}
    return {name for name, value in effective.items() if unwrap(value or "")}


def _name(in_variable: str) -> ConnectionName:
    """Read the name in a variable.

    Raises:
        ConfigurationError: It is a built-in one's, or can't be a name.
    """
    name = in_variable.lower().replace("_", "-")
    if name in BUILT_IN or not is_connection_name(name):
        detail = (
            f"{PREFIX}{in_variable}_PROVIDER can't be used as it is set; expected: a name of "
            f"letters, digits and _, 32 characters at most, that isn't auto, llm, "
            f"{', '.join(BUILT_IN)}."
        )
        raise ConfigurationError(detail)
    return name
