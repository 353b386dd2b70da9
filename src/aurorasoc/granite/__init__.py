"""Granite: from a snapshot to the one model that answers.

`catalog` knows the providers, `base_url` what an address means, `backend_resolution` which
backend is in force, `sensitivity` where labelled data may go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from aurorasoc.config.snapshot import CallLimits, KeySource
from aurorasoc.config.vocabulary import ServingBackend

__all__ = ["NOT_NEEDED", "ModelReference", "ServingBackend"]

NOT_NEEDED: Final = SecretStr("not-needed")
"""What keyless backends get: adapters replace an empty key by an ambient one."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """One model at one provider, with all that a call needs: nothing is left to defaults.

    Attributes:
        provider: The catalog's name of the provider.
        prefix: The adapter that speaks to it: vLLM is the `openai` adapter with a base URL.
        model: The model name, as the provider spells it.
        base_url: The address that is passed on; None only for Gemini, which takes none.
        origin: Where the call goes (`https://host:port`), and what the key is bound to.
        api_key: The key; the literal `not-needed` where the backend takes none.
        limits: Time-out and retries.
        key_source: Where the key is kept.
    """

    provider: ServingBackend
    prefix: str
    model: str
    base_url: str | None
    origin: str
    api_key: SecretStr
    limits: CallLimits
    key_source: KeySource | None = None

    @property
    def has_key(self) -> bool:
        """Whether a key goes with the calls."""
        return self.api_key.get_secret_value() != NOT_NEEDED.get_secret_value()

    def reveal_key(self) -> str:
        """Unwrap the key: the one place where that happens, called where bytes leave."""
        return self.api_key.get_secret_value()

    def __str__(self) -> str:
        """Give the native model reference, e.g. `deepseek:deepseek-v4-flash`."""
        return f"{self.prefix}:{self.model}"
