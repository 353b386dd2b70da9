"""`AURORA_DATABASE_URL` and `AURORA_FEED_DATABASE_URL`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from aurorasoc.config.settings.variables import Variables

_POSTGRESQL: Final = (
    "postgresql://user:password@host:port/name, in which a password's @ : / % are %40 %3A %2F %25"
)


_OTHER_SPELLINGS: Final = ("postgresql+psycopg://", "postgres://")
"""SQLAlchemy's with the driver that is used here, and the older one that libpq still takes."""


class DatabaseSettings(Variables):
    """Which database holds the runtime configuration; unset means SQLite in the state folder."""

    url: str | None = Field(None, alias="AURORA_DATABASE_URL", repr=False)
    feed_url: str | None = Field(None, alias="AURORA_FEED_DATABASE_URL", repr=False)

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @field_validator("url", "feed_url", mode="before")
    @classmethod
    def _one_spelling(cls, value: object) -> object:
        for spelling in _OTHER_SPELLINGS:
            if isinstance(value, str) and value.startswith(spelling):
                return f"postgresql://{value.removeprefix(spelling)}"
        return value

    @field_validator("url")
    @classmethod
    def _database(cls, value: str | None) -> str | None:
        if value is None or value.startswith("sqlite:///") or _is_postgresql(value):
            return value
        msg = f"an address that begins with sqlite:///, or {_POSTGRESQL}"
        raise ValueError(msg)

    @field_validator("feed_url")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        if value is None or _is_postgresql(value):
            return value
        raise ValueError(_POSTGRESQL)


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite file. SQLAlchemy reads `%` as an escape and `?` as a query."""
    return f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}"


def _is_postgresql(address: str) -> bool:
    """Return whether it is a valid PostgreSQL URL. SQLAlchemy's error would quote parts of it."""
    if not address.startswith("postgresql://"):
        return False
    from sqlalchemy import make_url  # noqa: PLC0415 - needed only for PostgreSQL
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - with it

    try:
        make_url(address)
    except (ArgumentError, ValueError):
        return False
    return True
