"""Granite: choose the one model that answers, from a snapshot.

`catalog` lists the providers, `base_url` parses addresses, `backend_resolution` chooses the
active backend, `sensitivity` decides where labelled data may go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from aurorasoc.config.call_options import NO_OPTIONS, CallOptions
from aurorasoc.config.snapshot import CallLimits, KeySource
from aurorasoc.config.vocabulary import ConnectionName, ServingBackend

__all__ = ["NOT_NEEDED", "ModelReference", "ServingBackend"]

NOT_NEEDED: Final = SecretStr("not-needed")
"""The key of keyless backends: adapters replace an empty key with the environment's."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """One model at one provider, with all that a call needs: adapters' defaults never apply.

    Attributes:
        connection: The name of the way to the provider.
        provider: The catalog's name of the provider.
        prefix: BeeAI's adapter name: vLLM uses the `openai` adapter with a base URL.
        model: The model name, as the provider spells it.
        base_url: The address for the adapter; None only for Gemini, which takes none.
        origin: Where the call goes (`https://host:port`). The key is bound to it.
        api_key: The key; the literal `not-needed` if the backend takes none.
        limits: Time-outs, the connection's own where it has some, and retries.
        key_source: Where the key is kept.
        key_tag: Tells the key apart without revealing it (`Credential.tag`); empty without a key.
        options: What the connection asks of every call.
    """

    connection: ConnectionName
    provider: ServingBackend
    prefix: str
    model: str
    base_url: str | None
    origin: str
    api_key: SecretStr
    limits: CallLimits
    key_source: KeySource | None = None
    options: CallOptions = NO_OPTIONS
    key_tag: str = ""

    @property
    def has_key(self) -> bool:
        """Whether calls send a key."""
        return self.api_key.get_secret_value() != NOT_NEEDED.get_secret_value()

    def reveal_key(self) -> str:
        """Return the plain key. Only code that is about to send a request calls this."""
        return self.api_key.get_secret_value()

    def holds_key(self, text: str) -> bool:
        """Whether a text repeats the key."""
        return self.has_key and self.reveal_key() in text

    def __str__(self) -> str:
        """Return the native model reference, e.g. `deepseek:deepseek-v4-flash`."""
        return f"{self.prefix}:{self.model}"
