"""The only reader of the environment.

`load_settings()` reads every variable once and returns one frozen `Settings`. An invalid value
raises `ConfigurationError` with one sentence that names the variable and what it accepts. The
message never repeats the value, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from aurorasoc.config.settings.connections import (
    NamedConnectionSettings,
    declared_names,
    variable_prefix,
)
from aurorasoc.config.settings.database import DatabaseSettings, sqlite_url
from aurorasoc.config.settings.llm import (
    ConnectionSettings,
    LLMSettings,
    connection_settings_classes,
)
from aurorasoc.config.settings.private_files import check_private_file, check_private_folder
from aurorasoc.config.settings.security import SecuritySettings
from aurorasoc.config.settings.server import ServerSettings
from aurorasoc.config.settings.telemetry import TelemetrySettings
from aurorasoc.config.settings.vault import VaultSettings
from aurorasoc.config.validation import rule_of
from aurorasoc.config.vocabulary import AUTO, LOCAL_BACKENDS, ConnectionName
from aurorasoc.errors import ConfigurationError

__all__ = [
    "FILE_ENCODING",
    "LOCAL_MODEL_FILE",
    "SECRETS_FILE",
    "Settings",
    "load_settings",
    "state_folder",
]

LOCAL_MODEL_FILE = "local-model.env"
SECRETS_FILE = "secrets.env"

FILE_ENCODING = "utf-8-sig"
"""UTF-8; a byte order mark, which some editors write, isn't part of the first name."""

_NOT_UTF_8 = f"{SECRETS_FILE} or {LOCAL_MODEL_FILE} in AURORA_STATE_DIR isn't in UTF-8."
_UNREADABLE = (
    f"{SECRETS_FILE} or {LOCAL_MODEL_FILE} in AURORA_STATE_DIR can't be read. Check its owner and "
    "mode."
)

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True)
class Settings:
    """All settings from the environment, grouped by concern."""

    llm: LLMSettings
    connections: dict[ConnectionName, ConnectionSettings]
    security: SecuritySettings
    database: DatabaseSettings
    vault: VaultSettings
    server: ServerSettings
    telemetry: TelemetrySettings

    @property
    def database_url(self) -> str:
        """The configured database, or the embedded default in the state folder."""
        return self.database.url or sqlite_url(self.server.state_dir / "aurorasoc.db")


def load_settings(*, secrets_file: bool = True) -> Settings:
    """Read the environment.

    Args:
        secrets_file: Whether to read `secrets.env` and `local-model.env` in the state folder,
            with lower priority than the environment. Every command except `serve` does.
            `local-model.env` exists while `dev` runs.

    Raises:
        ConfigurationError: A value is invalid, or another user could have written the files.
    """
    server = _read(ServerSettings, ())
    names = (LOCAL_MODEL_FILE, SECRETS_FILE) if secrets_file else ()
    files = tuple(server.state_dir / name for name in names)
    check_private_folder(server.state_dir)
    for file in files:
        check_private_file(file)
    llm, connections = _read(LLMSettings, files), _connections(files)
    _check_choices(llm, connections)
    return Settings(
        llm=llm,
        connections=connections,
        security=_read(SecuritySettings, files),
        database=_read(DatabaseSettings, files),
        vault=_read(VaultSettings, files),
        server=server,
        telemetry=_read(TelemetrySettings, ()),
    )


def state_folder() -> Path:
    """Return the state folder alone, whatever else is wrong in the environment.

    Raises:
        ConfigurationError: `AURORA_STATE_DIR`, or another variable of the server, is invalid.
    """
    return _read(ServerSettings, ()).state_dir


def _connections(files: tuple[Path, ...]) -> dict[ConnectionName, ConnectionSettings]:
    """Read the built-in connections, then those that the environment declares."""
    connections: dict[ConnectionName, ConnectionSettings] = {
        provider.value: _read(cls, files) for provider, cls in connection_settings_classes().items()
    }
    for name in _declared(files):
        connections[name] = _read(NamedConnectionSettings, files, variable_prefix(name))
    return connections


def _check_choices(
    llm: LLMSettings, connections: Mapping[ConnectionName, ConnectionSettings]
) -> None:
    """Refuse a backend that the environment doesn't declare, and a local one that can't be local.

    Raises:
        ConfigurationError: The variable names such a one.
    """
    local = [
        name
        for name, one in connections.items()
        if getattr(one, "provider", name) in LOCAL_BACKENDS
    ]
    for variable, value, names in (
        ("LLM_BACKEND", llm.backend, (AUTO, *connections)),
        ("LLM_LOCAL_BACKEND", llm.local_backend, (AUTO, *local)),
    ):
        if value not in names:
            accepted = ", ".join(f"'{name}'" for name in names)
            detail = f"{variable} can't be used as it is set; expected: {accepted}."
            raise ConfigurationError(detail)


def _declared(files: tuple[Path, ...]) -> list[ConnectionName]:
    try:
        return declared_names(files, FILE_ENCODING)
    except UnicodeDecodeError:
        sentence = _NOT_UTF_8
    except OSError:
        sentence = _UNREADABLE
    raise ConfigurationError(sentence)


def _read(cls: type[S], files: tuple[Path, ...], prefix: str | None = None) -> S:
    prefix = cls.model_config.get("env_prefix", "") if prefix is None else prefix
    try:
        return cls(_env_file=files or None, _env_file_encoding=FILE_ENCODING, _env_prefix=prefix)
    except UnicodeDecodeError:
        sentence = _NOT_UTF_8
    except ValidationError as error:
        sentence = _sentence(prefix, error)
    except OSError:
        sentence = _UNREADABLE
    raise ConfigurationError(sentence)


def _sentence(prefix: str, error: ValidationError) -> str:
    """Name the variable and what it accepts; never the rejected value."""
    issues = error.errors(include_input=False, include_url=False, include_context=False)
    name = str(issues[0]["loc"][0])
    variable = name if name.isupper() else f"{prefix}{name}".upper()
    rules = [
        rule_of(i["msg"]).removeprefix("Input should be ")
        for i in issues
        if str(i["loc"][0]) == name
    ]
    return f"{variable} can't be used as it is set; expected: {', or '.join(dict.fromkeys(rules))}."
