"""The Gemini generateContent wire format. Source: ai.google.dev/api, google.rpc error model.

Its front door takes field names in camelCase and in snake_case alike, as the real one does, and
answers a wrong key with status 400 (`API_KEY_INVALID`), not 401.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.world.vendor.faults import Refusal
from tests.world.vendor.http1 import Answer, Exchange, sse
from tests.world.vendor.turn import Question, Tool, Turn

_QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
_REFUSALS: Final = {
    Refusal.BAD_KEY: (
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
    ),
    Refusal.FORBIDDEN: (403, "PERMISSION_DENIED", "The caller does not have permission"),
    Refusal.UNKNOWN_MODEL: (
        404,
        "NOT_FOUND",
        "models/{model} is not found for API version v1beta.",
    ),
    Refusal.RATE_LIMITED: (
        429,
        "RESOURCE_EXHAUSTED",
        "Resource has been exhausted (e.g. check quota).",
    ),
    Refusal.QUOTA: (429, "RESOURCE_EXHAUSTED", _QUOTA),
    Refusal.UNPAID: (
        400,
        "FAILED_PRECONDITION",
        "Gemini API free tier is not available in your country. Please enable billing.",
    ),
    Refusal.BAD_REQUEST: (400, "INVALID_ARGUMENT", "The request is malformed."),
    Refusal.SERVER_ERROR: (500, "INTERNAL", "An internal error has occurred."),
    Refusal.OVERLOADED: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
}
_RPC: Final = "type.googleapis.com/google.rpc."
_DETAILS: Final[Mapping[Refusal, Sequence[Mapping[str, Any]]]] = {
    Refusal.BAD_KEY: [
        {
            "@type": f"{_RPC}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    ],
    Refusal.QUOTA: [
        {
            "@type": f"{_RPC}QuotaFailure",
            "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
        },
        {"@type": f"{_RPC}RetryInfo", "retryDelay": "37s"},
    ],
}


class GeminiWire:
    """Reads and writes generateContent and streamGenerateContent."""

    vendor = "gemini"

    def key(self, exchange: Exchange) -> str:
        """Return the key from its header, or from the query."""
        query = exchange.query.get("key", [""])[0]
        return exchange.headers.get("x-goog-api-key", query)

    def model(self, exchange: Exchange) -> str:
        """Return the model that the path names."""
        return exchange.path.rpartition("/models/")[2].partition(":")[0]

    def refusal(self, refusal: Refusal, model: str, note: str) -> Answer:
        """Return Google's own error answer."""
        code, status, message = _REFUSALS[refusal]
        error: dict[str, Any] = {"code": code, "message": note or message.format(model=model)}
        error |= {"status": status, "details": _DETAILS.get(refusal, [])}
        return Answer.of({"error": error}, code)

    def models(self, names: Sequence[str]) -> Answer:
        """Return `GET /v1beta/models`."""
        methods = ["generateContent", "countTokens"]
        rows = [
            {"name": f"models/{n}", "displayName": n, "supportedGenerationMethods": methods}
            for n in names
        ]
        return Answer.of({"models": rows})

    def question(self, exchange: Exchange) -> Question:
        """Read the path and the request body."""
        body = _camel(exchange.body)
        calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
        declared = [d for t in body.get("tools") or [] for d in t.get("functionDeclarations", [])]
        parts = [part for content in body["contents"] for part in content.get("parts", [])]
        texts = [part["text"] for part in parts if "text" in part]
        allowed = calling.get("allowedFunctionNames") or [None]
        return Question(
            vendor=self.vendor,
            model=self.model(exchange),
            prompt=texts[-1] if texts else "",
            stream=exchange.path.endswith(":streamGenerateContent"),
            tools=[
                Tool(d["name"], d.get("parametersJsonSchema") or d.get("parameters") or {})
                for d in declared
                if calling.get("mode") != "NONE"
            ],
            forced_tool=allowed[0],
            tool_required=calling.get("mode") == "ANY",
            called=[part["functionCall"]["name"] for part in parts if "functionCall" in part],
            schema=_schema(body.get("generationConfig", {})),
        )

    def answer(self, turn: Turn, question: Question) -> Answer:
        """Write the turn, streamed if that was asked for."""
        if not question.stream:
            return Answer.of(_chunk(turn, question.model, _parts(turn), last=True))
        parts: list[list[dict[str, Any]]] = (
            [[{"text": piece}] for piece in turn.pieces] if turn.text else [_parts(turn)]
        )
        last = len(parts) - 1
        chunks = [_chunk(turn, question.model, p, last=i == last) for i, p in enumerate(parts)]
        return Answer.stream([sse(chunk) for chunk in chunks])


def _parts(turn: Turn) -> list[dict[str, Any]]:
    if turn.tool:
        return [{"functionCall": {"name": turn.tool, "args": turn.arguments}}]
    return [{"text": turn.text}] if turn.text else []


def _chunk(
    turn: Turn, model: str, parts: Sequence[Mapping[str, Any]], *, last: bool
) -> dict[str, Any]:
    content = {"role": "model", **({"parts": parts} if parts else {})}
    candidate: dict[str, Any] = {"content": content, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if turn.thought else "STOP"
    usage = {"promptTokenCount": turn.usage.prompt, "totalTokenCount": turn.usage.total}
    spent = "thoughtsTokenCount" if turn.thought else "candidatesTokenCount"
    usage[spent] = turn.usage.completion
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "1",
    }


def _schema(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    requested = config.get("responseJsonSchema") or config.get("responseSchema")
    return dict(requested) if requested else None


def _camel(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the document with Google's own field names in camelCase; schemas stay untouched."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {_camel_name(name): item for name, item in value.items()}
    kept = ("responseSchema", "responseJsonSchema", "parameters", "parametersJsonSchema", "args")
    return {name: item if name in kept else _camel(item) for name, item in named.items()}


def _camel_name(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
