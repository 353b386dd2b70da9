"""Which vendor a request is for, and what it wants: by host name, path and headers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from tests.world.vendor.anthropic_wire import AnthropicWire
from tests.world.vendor.gemini_wire import GeminiWire
from tests.world.vendor.http1 import Exchange
from tests.world.vendor.openai_wire import OPENAI_WIRE_VENDORS, OpenAIWire

HOSTS: Final = {
    "api.openai.com": "openai",
    "api.deepseek.com": "deepseek",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "soc-eu.openai.azure.com": "openai",
}
VENDORS: Final = (*OPENAI_WIRE_VENDORS, "anthropic", "gemini")

Wire = OpenAIWire | AnthropicWire | GeminiWire
Errand = Literal["complete", "models", "health", "tags"]

_ERRANDS: Final[tuple[tuple[str, str, Errand, tuple[str, ...]], ...]] = (
    ("POST", "/chat/completions", "complete", OPENAI_WIRE_VENDORS),
    ("POST", "/responses", "complete", ("openai",)),
    ("POST", "/messages", "complete", ("anthropic",)),
    ("POST", ":generateContent", "complete", ("gemini",)),
    ("POST", ":streamGenerateContent", "complete", ("gemini",)),
    ("GET", "/v1beta/models", "models", ("gemini",)),
    ("GET", "/models", "models", ("anthropic",)),
    ("GET", "/models", "models", OPENAI_WIRE_VENDORS),
    ("GET", "/health", "health", ("vllm",)),
    ("GET", "/api/tags", "tags", ("ollama",)),
)


@dataclass(frozen=True, slots=True)
class Route:
    """The errand, and the vendors it may be meant for, likeliest first; `named` by host."""

    errand: Errand
    vendors: tuple[str, ...]
    named: bool


def wire_of(vendor: str) -> Wire:
    """Return the wire format that a vendor speaks."""
    if vendor == "anthropic":
        return AnthropicWire()
    if vendor == "gemini":
        return GeminiWire()
    return OpenAIWire(vendor)


def route(exchange: Exchange, plays: Collection[str]) -> Route | None:
    """Return where a request belongs on a server that plays these vendors, or None (a 404)."""
    match = _errand(exchange)
    if match is None:
        return None
    errand, vendors = match
    host = exchange.host.partition(":")[0].lower()
    named = HOSTS.get(host)
    meant = tuple(v for v in vendors if v in plays and named in (None, v))
    meant = tuple(v for v in meant if _path_exists(v, exchange.path))
    return Route(errand, meant, named is not None) if meant else None


def _errand(exchange: Exchange) -> tuple[Errand, tuple[str, ...]] | None:
    for method, ending, errand, vendors in _ERRANDS:
        if exchange.method == method and exchange.path.endswith(ending):
            if ending == "/models" and ("anthropic" in vendors) != _dated(exchange):
                continue
            return errand, vendors
    return None


def _dated(exchange: Exchange) -> bool:
    """Tell whether the request carries Anthropic's version header, as all of its clients do."""
    return "anthropic-version" in exchange.headers


def _path_exists(vendor: str, path: str) -> bool:
    """Tell whether the real vendor would know this path: all but DeepSeek insist on `/v1`."""
    if path.endswith(("/health", "/api/tags")):
        return path in ("/health", "/api/tags")
    bare = path.endswith(("/chat/completions", "/responses", "/models", "/messages"))
    return vendor in ("deepseek", "gemini") or not bare or "/v1/" in path
