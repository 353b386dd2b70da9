"""`AURORA_DATABASE_URL` and `AURORA_FEED_DATABASE_URL`."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_POSTGRESQL: Final = (
    "postgresql://user:password@host:port/name, in which a password's @ : / % are %40 %3A %2F %25"
)


class DatabaseSettings(BaseSettings):
    """Which database holds the runtime configuration; unset means SQLite in the state folder."""

    url: str | None = Field(None, alias="AURORA_DATABASE_URL", repr=False)
    feed_url: str | None = Field(None, alias="AURORA_FEED_DATABASE_URL", repr=False)

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

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
