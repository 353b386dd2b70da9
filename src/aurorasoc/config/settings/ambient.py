"""What the model libraries would take from the environment behind our back.

Every value is passed to them explicitly, and an explicit value wins. The variables named here
are added even then (docs/decisions/024): while one is set, its provider is not ready.
"""

from __future__ import annotations

import os
from urllib.request import getproxies

from aurorasoc.config.vocabulary import ServingBackend

_OPENAI_SDK = (
    "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER",
    "OPENAI_CUSTOM_HEADERS",
    "OPENAI_ORGANIZATION",
)

_OVERRIDES: dict[ServingBackend, tuple[str, ...]] = {
    ServingBackend.ANTHROPIC: (
        "ANTHROPIC_API_HEADERS",
        "ANTHROPIC_AUTH_TOKEN",
        "LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX",
    ),
    ServingBackend.DEEPSEEK: ("DEEPSEEK_API_HEADERS",),
    ServingBackend.GEMINI: ("GEMINI_API_BASE", "GEMINI_API_HEADERS"),
    ServingBackend.OLLAMA: ("OLLAMA_API_HEADERS", *_OPENAI_SDK),
    ServingBackend.OPENAI: ("OPENAI_API_HEADERS", *_OPENAI_SDK),
    ServingBackend.VLLM: ("OPENAI_API_HEADERS", *_OPENAI_SDK),
}


def ambient_overrides(provider: ServingBackend) -> tuple[str, ...]:
    """Name the variables that are set and would alter this provider's calls."""
    return tuple(name for name in _OVERRIDES[provider] if os.environ.get(name))


def proxies() -> dict[str, str]:
    """The proxies that HTTP libraries take from the environment, by scheme (plus `no`)."""
    return getproxies()
