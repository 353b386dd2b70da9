"""Words that settings, snapshots and policy share: backends, roles and TLP labels."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Literal

AUTO: Final = "auto"

EVERYTHING: Final = "llm"
"""What an audit entry is about that concerns no single connection."""


class ServingBackend(StrEnum):
    """A provider that can serve a model. The values are the names used in URLs and variables."""

    ANTHROPIC = "anthropic"
    DEEPSEEK = "deepseek"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    OPENAI = "openai"
    VLLM = "vllm"


ConnectionName = str
"""The name of a way to a provider. The built-in ones are called as their provider is."""

CONNECTION_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
"""What a connection may be called; names become variables, and paths in Vault."""

_AGENT_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")

BUILT_IN: Final = tuple(backend.value for backend in ServingBackend)
"""The connections that always exist."""

LOCAL_BACKENDS: Final = (ServingBackend.VLLM, ServingBackend.OLLAMA)
"""The providers whose calls can stay on the site's own networks, as `auto` asks them."""

BackendChoice = ConnectionName
"""A connection, or `auto`."""

LocalChoice = ConnectionName
"""A connection whose provider may be local, or `auto`."""

Role = Literal["specialist", "orchestrator"]


def is_connection_name(text: str) -> bool:
    """Whether a connection may be called so."""
    return text not in {AUTO, EVERYTHING} and CONNECTION_NAME.fullmatch(text) is not None


def lowered(text: object) -> object:
    """Return a name as it is typed in small letters, without blanks: `OpenAI` is `openai`.

    Names of connections and providers have no other letters. What is no text stays as it is.
    """
    return text.strip(" ").lower() if isinstance(text, str) else text


def is_agent_name(text: str) -> bool:
    """Whether an agent may be called so."""
    return _AGENT_NAME.fullmatch(text) is not None


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 labels, least restricted first (FIRST, https://www.first.org/tlp/).

    `NONE` is not a TLP label. As `LLM_HOSTED_MAX_TLP` it keeps every labelled request local,
    even CLEAR.
    """

    NONE = "NONE"
    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    AMBER_STRICT = "AMBER+STRICT"
    RED = "RED"

    @property
    def rank(self) -> int:
        """Position in the order of restriction; NONE is 0, RED is 5."""
        return _RANKS[self]


_RANKS: Final = {label: position for position, label in enumerate(Tlp)}
"""Looked up for each model call: to count anew costs a microsecond."""


TlpLabel = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
