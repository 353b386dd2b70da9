"""The Anthropic Messages wire format. Source: docs.anthropic.com, API reference and errors."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.world.vendor.faults import Refusal
from tests.world.vendor.http1 import Answer, Exchange, sse
from tests.world.vendor.turn import Question, Tool, Turn

_POOR: Final = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
    "to upgrade or purchase credits."
)
# The documented status of a billing problem is 402; a low balance is seen in the wild as a 400.
_REFUSALS: Final = {
    Refusal.BAD_KEY: (401, "authentication_error", "invalid x-api-key"),
    Refusal.FORBIDDEN: (403, "permission_error", "Your API key may not use this resource."),
    Refusal.UNKNOWN_MODEL: (404, "not_found_error", "model: {model}"),
    Refusal.RATE_LIMITED: (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit.",
    ),
    Refusal.QUOTA: (400, "invalid_request_error", _POOR),
    Refusal.UNPAID: (402, "billing_error", "There is an issue with your billing information."),
    Refusal.BAD_REQUEST: (400, "invalid_request_error", "The request is malformed."),
    Refusal.SERVER_ERROR: (500, "api_error", "Internal server error"),
    Refusal.OVERLOADED: (529, "overloaded_error", "Overloaded"),
}


class AnthropicWire:
    """Reads and writes Messages."""

    vendor = "anthropic"

    def key(self, exchange: Exchange) -> str:
        """Return the `x-api-key`, or an empty text."""
        return exchange.headers.get("x-api-key", "")

    def model(self, exchange: Exchange) -> str:
        """Return the model that the body names."""
        return str((exchange.body or {}).get("model", ""))

    def refusal(self, refusal: Refusal, model: str, note: str) -> Answer:
        """Return Anthropic's own error answer."""
        status, kind, message = _REFUSALS[refusal]
        error = {"type": kind, "message": note or message.format(model=model)}
        document = {"type": "error", "error": error, "request_id": "req_1"}
        return Answer.of(document, status, request_id="req_1")

    def models(self, names: Sequence[str]) -> Answer:
        """Return `GET /v1/models`."""
        created = "2026-01-01T00:00:00Z"
        rows = [
            {"type": "model", "id": name, "display_name": name, "created_at": created}
            for name in names
        ]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return Answer.of({"data": rows, "has_more": False, **ends})

    def question(self, exchange: Exchange) -> Question:
        """Read the request body."""
        body = exchange.body
        choice = body.get("tool_choice") or {}
        return Question(
            vendor=self.vendor,
            model=body["model"],
            prompt=_prompt(body["messages"]),
            stream=bool(body.get("stream")),
            tools=[
                Tool(tool["name"], tool.get("input_schema", {}))
                for tool in body.get("tools") or []
                if choice.get("type") != "none"
            ],
            forced_tool=choice.get("name"),
            tool_required=choice.get("type") == "any",
            called=[block["name"] for block in _blocks(body["messages"], "tool_use")],
            schema=_schema(body),
        )

    def answer(self, turn: Turn, question: Question) -> Answer:
        """Write the turn, streamed if that was asked for."""
        if question.stream:
            return Answer.stream(_events(turn, question))
        blocks = [_block(turn)] if turn.text or turn.tool else []
        message = _message(question.model, blocks, turn.usage.completion)
        return Answer.of(message | {"stop_reason": _stop(turn)})


def _schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the wanted schema, from the field of today or that of the 2025 beta."""
    requested = (body.get("output_config") or {}).get("format") or body.get("output_format")
    return dict(requested["schema"]) if requested else None


def _block(turn: Turn) -> dict[str, Any]:
    if turn.tool:
        return {"type": "tool_use", "id": "toolu_1", "name": turn.tool, "input": turn.arguments}
    return {"type": "text", "text": turn.text}


def _message(model: str, blocks: Sequence[object], produced: int) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(blocks),
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": produced},
    }


def _events(turn: Turn, question: Question) -> list[bytes]:
    events = [{"type": "message_start", "message": _message(question.model, [], 0)}]
    events.append({"type": "ping"})
    if turn.text or turn.tool:
        events += _block_events(turn)
    delta = {"stop_reason": _stop(turn), "stop_sequence": None}
    usage = {"output_tokens": turn.usage.completion}
    events.append({"type": "message_delta", "delta": delta, "usage": usage})
    events.append({"type": "message_stop"})
    return [sse(event, str(event["type"])) for event in events]


def _block_events(turn: Turn) -> list[dict[str, Any]]:
    if turn.tool:
        empty = _block(turn) | {"input": {}}
        written = json.dumps(turn.arguments)
        half = len(written) // 2
        deltas = [
            {"type": "input_json_delta", "partial_json": part}
            for part in ("", written[:half], written[half:])
        ]
    else:
        empty = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in turn.pieces]
    return [
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]


def _stop(turn: Turn) -> str:
    if turn.thought:
        return "max_tokens"
    return "tool_use" if turn.tool else "end_turn"


def _blocks(messages: Sequence[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
    contents = (m["content"] for m in messages if isinstance(m["content"], list))
    return [block for content in contents for block in content if block.get("type") == kind]


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    content = messages[-1]["content"] if messages else ""
    if isinstance(content, str):
        return content
    return " ".join(str(block["text"]) for block in content if block.get("type") == "text")
