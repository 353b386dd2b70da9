"""`AURORA_DATABASE_URL` and `AURORA_FEED_DATABASE_URL`."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Which database holds the runtime configuration; unset means SQLite in the state folder."""

    url: str | None = Field(None, alias="AURORA_DATABASE_URL", repr=False)
    feed_url: str | None = Field(None, alias="AURORA_FEED_DATABASE_URL", repr=False)

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @field_validator("url", "feed_url")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("sqlite:///", "postgresql://")):
            msg = "an address that begins with sqlite:/// or postgresql://"
            raise ValueError(msg)
        return value
