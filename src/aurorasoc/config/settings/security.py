"""`JWT_…` and `AURORA_SECRET_KEY…`: sessions, and the seeds that stored keys are sealed with."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from aurorasoc.config.settings.variables import Variables

MIN_SEED_LENGTH = 32
DAY = 86_400  # seconds
MIN_DISTINCT_CHARACTERS = 8


class SecuritySettings(Variables):
    """Session secret and seeds.

    Short or repetitive seeds are refused: HKDF (RFC 5869) adds no entropy to its input.
    """

    as_they_are: ClassVar[frozenset[str]] = frozenset(
        {"AURORA_SECRET_KEY", "AURORA_SECRET_KEY_PREVIOUS", "JWT_SECRET_KEY"}
    )

    jwt_secret_key: SecretStr | None = Field(None, alias="JWT_SECRET_KEY")
    jwt_audience: str | None = Field(None, alias="JWT_AUDIENCE")
    jwt_issuer: str | None = Field(None, alias="JWT_ISSUER")
    jwt_max_lifetime: int = Field(DAY, ge=60, le=365 * DAY, alias="JWT_MAX_LIFETIME")
    secret_key: SecretStr | None = Field(None, alias="AURORA_SECRET_KEY")
    secret_key_previous: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), alias="AURORA_SECRET_KEY_PREVIOUS"
    )

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @field_validator("secret_key_previous", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(SecretStr(seed.strip()) for seed in value.split(",") if seed.strip())

    @field_validator("jwt_secret_key", "secret_key")
    @classmethod
    def _strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _check_seed(value)
        return value

    @field_validator("secret_key_previous")
    @classmethod
    def _all_strong(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for seed in value:
            _check_seed(seed)
        return value

    @property
    def seeds(self) -> tuple[SecretStr, ...]:
        """All seeds: the current one, which seals, the previous ones, then the session secret."""
        configured = (self.secret_key, *self.secret_key_previous, self.jwt_secret_key)
        return tuple(seed for seed in configured if seed is not None)


def _check_seed(seed: SecretStr) -> None:
    text = seed.get_secret_value()
    if "," in text or text != text.strip():
        msg = (
            "no blanks or line end around it, as a file often has one, and no commas, which "
            "separate previous seeds"
        )
        raise ValueError(msg)
    if len(text) < MIN_SEED_LENGTH or len(set(text)) < MIN_DISTINCT_CHARACTERS:
        msg = (
            f"at least {MIN_SEED_LENGTH} random characters, for instance from "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'`"
        )
        raise ValueError(msg)
