"""`LLM_…`: the boot defaults for backends, models, policy and calls."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from aurorasoc.config.fallbacks import FALLBACKS_RULE, OnRefusal, can_be_fallbacks
from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.networks import can_match
from aurorasoc.config.settings.variables import Variables
from aurorasoc.config.vocabulary import (
    BackendChoice,
    ConnectionName,
    LocalChoice,
    ServingBackend,
    Tlp,
    lowered,
)

T = TypeVar("T")

ModelName = Annotated[str, Field(max_length=255)]
"""The limit is the length of the database column."""

LOCAL_NETWORKS = (
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
)
"""Loopback, RFC 1918 and RFC 4193."""


MAX_KEY_AGE = 3650 * 86_400
"""Ten years, in seconds."""


class ConnectionSettings(Variables):
    """One provider's boot defaults.

    A field whose variable is unset is absent from `model_fields_set`, and the catalog's default
    applies. An empty variable is present as None, which means "no model".
    """

    model: ModelName | None = None
    orchestrator_model: ModelName | None = None
    base_url: str | None = None
    api_key: SecretStr | None = None

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _empty_means_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("api_key")
    @classmethod
    def _key_fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not fits_a_header(value.get_secret_value()):
            msg = "a key of printable ASCII characters without spaces"
            raise ValueError(msg)
        return value


class DeepSeekSettings(ConnectionSettings):
    """`LLM_DEEPSEEK_…`."""

    model_config = SettingsConfigDict(env_prefix="LLM_DEEPSEEK_")


class AnthropicSettings(ConnectionSettings):
    """`LLM_ANTHROPIC_…`."""

    model_config = SettingsConfigDict(env_prefix="LLM_ANTHROPIC_")


class OpenAISettings(ConnectionSettings):
    """`LLM_OPENAI_COMPATIBLE_…`: OpenAI and compatible APIs."""

    model_config = SettingsConfigDict(env_prefix="LLM_OPENAI_COMPATIBLE_")


class GeminiSettings(ConnectionSettings):
    """`LLM_GEMINI_…`. Gemini takes no base URL."""

    model_config = SettingsConfigDict(env_prefix="LLM_GEMINI_")

    @field_validator("base_url")
    @classmethod
    def _no_base_url(cls, value: str | None) -> str | None:
        return _refuse(value, "no value: Gemini takes no base URL")


class OllamaSettings(ConnectionSettings):
    """`LLM_OLLAMA_…` and older names. Ollama takes no key."""

    model: ModelName | None = Field(
        None, validation_alias=AliasChoices("LLM_OLLAMA_MODEL", "OLLAMA_MODEL")
    )
    orchestrator_model: ModelName | None = Field(
        None,
        validation_alias=AliasChoices("LLM_OLLAMA_ORCHESTRATOR_MODEL", "OLLAMA_ORCHESTRATOR_MODEL"),
    )
    base_url: str | None = Field(
        None, validation_alias=AliasChoices("LLM_OLLAMA_BASE_URL", "OLLAMA_BASE_URL")
    )
    model_config = SettingsConfigDict(env_prefix="LLM_OLLAMA_")

    @field_validator("api_key")
    @classmethod
    def _no_key(cls, value: SecretStr | None) -> SecretStr | None:
        return _refuse(value, "no value: Ollama takes no key")


class VLLMSettings(ConnectionSettings):
    """`LLM_VLLM_…` and older names."""

    model: ModelName | None = Field(
        None, validation_alias=AliasChoices("LLM_VLLM_MODEL", "VLLM_MODEL")
    )
    orchestrator_model: ModelName | None = Field(
        None,
        validation_alias=AliasChoices("LLM_VLLM_ORCHESTRATOR_MODEL", "VLLM_ORCHESTRATOR_MODEL"),
    )
    base_url: str | None = Field(
        None, validation_alias=AliasChoices("LLM_VLLM_BASE_URL", "VLLM_BASE_URL")
    )
    model_config = SettingsConfigDict(env_prefix="LLM_VLLM_")


@cache
def connection_settings_classes() -> dict[ServingBackend, type[ConnectionSettings]]:
    """Return the settings class of each provider."""
    return {
        ServingBackend.ANTHROPIC: AnthropicSettings,
        ServingBackend.DEEPSEEK: DeepSeekSettings,
        ServingBackend.GEMINI: GeminiSettings,
        ServingBackend.OLLAMA: OllamaSettings,
        ServingBackend.OPENAI: OpenAISettings,
        ServingBackend.VLLM: VLLMSettings,
    }


class LLMSettings(Variables):
    """Which backend, which policy, and how calls are made.

    Attributes:
        fallbacks: The connections to ask when one fails, in order.
        on_refusal: Whether the local backend is asked what a hosted model refuses.
        timeout: Seconds a model call may take.
        first_token_timeout: Seconds until a stream's first token.
        max_retries: Retries after a failure that may be temporary.
        max_concurrency: Maximum concurrent calls in this process; None means no limit.
        key_max_age: Seconds after which a stored key is warned of; None means never.
    """

    backend: Annotated[BackendChoice, BeforeValidator(lowered)] = ServingBackend.VLLM.value
    hosted_max_tlp: Tlp = Tlp.GREEN
    local_backend: Annotated[LocalChoice, BeforeValidator(lowered)] = "auto"
    require_tlp: bool = False
    fallbacks: Annotated[tuple[ConnectionName, ...], NoDecode] = ()
    on_refusal: OnRefusal = "fail"
    local_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = tuple(
        ip_network(n) for n in LOCAL_NETWORKS
    )
    timeout: float = Field(60.0, gt=0, le=3600)
    first_token_timeout: float = Field(30.0, gt=0, le=3600)
    max_retries: int = Field(1, ge=0, le=10)
    max_concurrency: int | None = Field(None, ge=1)
    key_max_age: float | None = Field(None, gt=0, le=MAX_KEY_AGE)

    model_config = SettingsConfigDict(
        env_prefix="LLM_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip() for name in value.lower().split(",") if name.strip())
        if not can_be_fallbacks(names):
            msg = f"{FALLBACKS_RULE}, comma-separated, such as eu-azure,ollama"
            raise ValueError(msg)
        return names

    @field_validator("local_networks", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            networks = tuple(ip_network(n.strip()) for n in value.split(",") if n.strip())
        except ValueError:
            msg = "a comma-separated list of networks such as 10.0.0.0/8,fc00::/7"
            raise ValueError(msg) from None
        if not all(map(can_match, networks)):
            msg = (
                "networks that can be reached: no link-local, metadata, reserved or IPv4-mapped "
                "ones, which never count as local"
            )
            raise ValueError(msg)
        return networks


def _refuse(value: T | None, why: str) -> T | None:
    if value is not None:
        raise ValueError(why)
    return value
