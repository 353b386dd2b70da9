"""`LLM_CONNECTION_<NAME>_…`: connections that the environment declares beside the built-in ones."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values
from pydantic import ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from aurorasoc.config.settings.llm import ConnectionSettings
from aurorasoc.config.vocabulary import (
    BUILT_IN,
    ConnectionName,
    ServingBackend,
    Tlp,
    is_connection_name,
)
from aurorasoc.errors import ConfigurationError

PREFIX: Final = "LLM_CONNECTION_"
_FIELDS: Final = ("PROVIDER", "BASE_URL", "MODEL", "ORCHESTRATOR_MODEL", "API_KEY", "MAX_TLP")
_DECLARES: Final = re.compile(rf"{PREFIX}(?P<name>.+)_PROVIDER")


class NamedConnectionSettings(ConnectionSettings):
    """One declared connection's boot defaults."""

    max_tlp: Tlp | None = None
    provider: ServingBackend

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
            connection that nothing declares.
    """
    variables = {variable.upper() for variable in _variables(files, encoding)}
    variables = {variable for variable in variables if variable.startswith(PREFIX)}
    names = sorted(_name(match["name"]) for match in map(_DECLARES.fullmatch, variables) if match)
    known = {variable_prefix(name) + field for name in names for field in _FIELDS}
    for stray in sorted(variables - known):
        detail = (
            f"{stray} configures no connection: {PREFIX}<NAME>_PROVIDER declares one, and "
            f"{', '.join(f'_{field}' for field in _FIELDS[1:])} configure it."
        )
        raise ConfigurationError(detail)
    return names


def _variables(files: Iterable[Path], encoding: str) -> Mapping[str, object]:
    variables: dict[str, object] = dict(os.environ)
    for file in files:
        if file.is_file():
            variables.update(dotenv_values(file, encoding=encoding, interpolate=False))
    return variables


def _name(in_variable: str) -> ConnectionName:
    """Read the name in a variable.

    Raises:
        ConfigurationError: It is a built-in one's, or can't be a name.
    """
    name = in_variable.lower().replace("_", "-")
    if name in BUILT_IN or not is_connection_name(name):
        detail = (
            f"{PREFIX}{in_variable}_PROVIDER can't be used as it is set; expected: a name of "
            f"letters, digits and _, 32 characters at most, that isn't auto, {', '.join(BUILT_IN)}."
        )
        raise ConfigurationError(detail)
    return name
