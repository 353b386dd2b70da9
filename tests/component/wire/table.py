"""The providers on the wire: one row each. A new provider is one row here."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import Exchange

COMPLETIONS: Final = "/v1/chat/completions"
VLLM_KEY: Final = "vk-test-vllm-0123456789abcdef"
NOT_NEEDED: Final = "not-needed"

Place = tuple[str | int, ...]

_TOOL_IN_SCHEMA: Final = (
    "response_format",
    "json_schema",
    "schema",
    "properties",
    "name",
    "const",
)


class Row(NamedTuple):
    """What a provider is sent, and where.

    Attributes:
        model: The model that is asked for.
        path: Where a call is POSTed; `{model}` stands for the model.
        key: The provider's key; the literal `not-needed` where it takes none.
        base_url: What the adapter is told in so many words; None on loopback, where it is the
            server's, and for Gemini, which takes none.
        host: The vendor's own host name; None on loopback.
        stream_path: Where a streamed call goes, if elsewhere.
        header: The header that holds the key.
        scheme: What stands before the key there.
        fixed: Headers that the vendor asks for.
        structured: Headers that the vendor asks for with a schema.
        streamed: What the body of a streamed call says.
        tokens: Where the body bounds the answer's tokens.
        schema: Where the body holds a structured answer's schema; None: in the prompt.
        tool: Where the body names the tool that must be called.
        lists: Where its models are listed, and with which query.
    """

    model: str
    path: str
    key: str
    base_url: str | None = None
    host: str | None = None
    stream_path: str | None = None
    header: str = "authorization"
    scheme: str = "Bearer "
    fixed: Mapping[str, str] = {}
    structured: Mapping[str, str] = {}
    streamed: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
    tokens: Place = ("max_tokens",)
    schema: Place | None = ("response_format", "json_schema", "schema")
    tool: Place = ("tools", 0, "function", "name")
    lists: tuple[str, Mapping[str, list[str]]] = ("/v1/models", {})


TABLE: Final = {
    "ollama": Row(
        "granite4:8b",
        COMPLETIONS,
        NOT_NEEDED,
        tool=_TOOL_IN_SCHEMA,
        lists=("/api/tags", {}),
    ),
    "vllm": Row("granite-soc-specialist", COMPLETIONS, VLLM_KEY),
    "openai": Row(
        "gpt-4o",
        COMPLETIONS,
        VENDOR_KEYS["openai"],
        base_url="https://api.openai.com/v1",
        host="api.openai.com",
    ),
    "deepseek": Row(
        "deepseek-v4-flash",
        "/chat/completions",
        VENDOR_KEYS["deepseek"],
        base_url="https://api.deepseek.com",
        host="api.deepseek.com",
        schema=None,
        lists=("/models", {}),
    ),
    "gemini": Row(
        "gemini-2.5-pro",
        "/v1beta/models/{model}:generateContent",
        VENDOR_KEYS["gemini"],
        host="generativelanguage.googleapis.com",
        stream_path="/v1beta/models/{model}:streamGenerateContent",
        header="x-goog-api-key",
        scheme="",
        streamed={},
        tokens=("generationConfig", "max_output_tokens"),
        schema=("generationConfig", "response_json_schema"),
        tool=("tools", 0, "function_declarations", 0, "name"),
        lists=("/v1beta/models", {"pageSize": ["1000"]}),
    ),
    "anthropic": Row(
        "claude-sonnet-4-6",
        "/v1/messages",
        VENDOR_KEYS["anthropic"],
        base_url="https://api.anthropic.com",
        host="api.anthropic.com",
        header="x-api-key",
        scheme="",
        fixed={"anthropic-version": "2023-06-01"},
        structured={"anthropic-beta": "structured-outputs-2025-11-13"},
        streamed={"stream": True},
        schema=("output_format", "schema"),
        tool=("tools", 0, "name"),
        lists=("/v1/models", {"limit": ["1000"]}),
    ),
}
EVERY: Final = tuple(TABLE)
KEYS: Final = {row.key for row in TABLE.values()} - {NOT_NEEDED}
PLAIN_HEADERS: Final = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "user-agent",
}


def at(document: Any, place: Place) -> Any:  # noqa: ANN401 - any JSON value
    """Return what stands at a place of a JSON document."""
    for step in place:
        document = document[step]
    return document


def places(request: Exchange) -> dict[str, bytes]:
    """Return all that a request says, by where it says it."""
    said = {name: value.encode() for name, value in request.headers.items()}
    return said | {"URL": f"{request.path}?{request.query}".encode(), "body": request.raw}
