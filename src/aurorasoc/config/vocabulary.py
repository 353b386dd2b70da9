"""Words that settings, snapshots and policy share: backends, roles and TLP labels."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

AUTO: Final = "auto"


class ServingBackend(StrEnum):
    """A provider that can serve a model. The values are the names used in URLs and variables."""

    ANTHROPIC = "anthropic"
    DEEPSEEK = "deepseek"
    GEMINI = "gemini"
    OLLAMA = "ollama"
    OPENAI = "openai"
    VLLM = "vllm"


BackendChoice = ServingBackend | Literal["auto"]
LocalChoice = Literal["auto", "ollama", "vllm"]
Role = Literal["specialist", "orchestrator"]


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
        return list(Tlp).index(self)


TlpLabel = Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
