"""`AURORA_…`: where the service listens, keeps its state, and how it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from aurorasoc.config.hosts import hosts_of, public_hosts_of
from aurorasoc.config.log_form import LogForm
from aurorasoc.config.settings.variables import Variables


class ServerSettings(Variables):
    """Address and names, workers, state folder, hosts that base URLs may name, and usage."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    state_dir: Path = Path("~/.local/state/aurorasoc")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    public_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    a2a_auth: Literal["token", "none"] | None = None
    log: Literal["json", "short"] = "json"
    usage_days: int = Field(400, ge=1, le=36_500)
    no_color: str = Field("", validation_alias="NO_COLOR")

    model_config = SettingsConfigDict(
        env_prefix="AURORA_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    @property
    def log_form(self) -> LogForm:
        """How log lines are written. Any value of NO_COLOR turns colours off (no-color.org)."""
        return LogForm(short=self.log == "short", colour=not self.no_color)

    @field_validator("state_dir")
    @classmethod
    def _expanded(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError:
            msg = "a folder; there is no user of the name after its ~"
            raise ValueError(msg) from None

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        return hosts_of(value) if isinstance(value, str) else value

    @field_validator("public_hosts", mode="before")
    @classmethod
    def _public(cls, value: object) -> object:
        return public_hosts_of(value) if isinstance(value, str) else value
