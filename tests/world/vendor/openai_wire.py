"""The Chat Completions wire format, as OpenAI, DeepSeek, vLLM and Ollama speak it.

Sources: platform.openai.com/docs/api-reference/chat, api-docs.deepseek.com (which knows
`json_object` only, answers 400 to an unknown model and 402 to an empty account),
docs.vllm.ai "OpenAI-compatible server", and Ollama's docs/openai.md.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.world.vendor import responses_wire
from tests.world.vendor.faults import Refusal
from tests.world.vendor.http1 import Answer, Exchange, sse
from tests.world.vendor.openai_refusals import refusal_answer
from tests.world.vendor.schema import described
from tests.world.vendor.turn import Question, RefusedError, Tool, Turn, Usage

OPENAI_WIRE_VENDORS: Final = ("openai", "deepseek", "vllm", "ollama")
_ID: Final = "chatcmpl-1"
_CREATED: Final = 1_760_000_000


class OpenAIWire:
    """Reads and writes Chat Completions for one of the vendors that speak it."""

    def __init__(self, vendor: str) -> None:
        """Speak as `vendor`."""
        self.vendor = vendor

    def key(self, exchange: Exchange) -> str:
        """Return the bearer key, or an empty text."""
        scheme, _, key = exchange.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() == "bearer" else ""

    def model(self, exchange: Exchange) -> str:
        """Return the model that the body names."""
        return str((exchange.body or {}).get("model", ""))

    def refusal(self, refusal: Refusal, model: str, note: str) -> Answer:
        """Return the vendor's own error answer."""
        return refusal_answer(self.vendor, refusal, model, note)

    def models(self, names: Sequence[str]) -> Answer:
        """Return `GET /v1/models`."""
        rows = [
            {"id": name, "object": "model", "created": _CREATED, "owned_by": self.vendor}
            for name in names
        ]
        return Answer.of({"object": "list", "data": rows})

    def question(self, exchange: Exchange) -> Question:
        """Read the request body."""
        body = exchange.body
        if exchange.path.endswith("/responses"):
            return responses_wire.asked(body)
        messages = body["messages"]
        choice = body.get("tool_choice")
        calls = [call for message in messages for call in message.get("tool_calls") or []]
        return Question(
            vendor=self.vendor,
            model=body["model"],
            prompt=_prompt(messages),
            stream=bool(body.get("stream")),
            usage_wanted=bool((body.get("stream_options") or {}).get("include_usage")),
            tools=[
                Tool(tool["function"]["name"], tool["function"].get("parameters", {}))
                for tool in body.get("tools") or []
                if choice != "none"
            ],
            forced_tool=choice["function"]["name"] if isinstance(choice, dict) else None,
            tool_required=choice == "required",
            called=[call["function"]["name"] for call in calls],
            schema=self._schema(body.get("response_format"), messages),
        )

    def answer(self, turn: Turn, question: Question) -> Answer:
        """Write the turn, streamed if that was asked for."""
        if question.responses:
            return responses_wire.answered(turn, question)
        if question.stream:
            return Answer.stream(self._events(turn, question))
        message: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
        message |= self._calls(turn)
        if turn.thought:
            message |= self._thinking()
        choice = {"index": 0, "message": message, "finish_reason": _finish(turn)}
        document = self._envelope("chat.completion", question.model, [choice])
        return Answer.of(document | {"usage": _usage(turn)})

    def _schema(
        self, requested: Mapping[str, Any] | None, messages: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        kind = (requested or {}).get("type")
        if requested is None or kind == "text":
            return None
        if kind == "json_schema" and self.vendor == "deepseek":
            message = "This response_format type is unavailable now"
            raise RefusedError(Refusal.BAD_REQUEST, message)
        if kind == "json_schema":
            return dict(requested["json_schema"]["schema"])
        text = " ".join(_text(message.get("content")) for message in messages)
        if "json" not in text.lower():
            message = (
                "Prompt must contain the word 'json' in some form to use 'response_format' "
                "of type 'json_object'."
            )
            raise RefusedError(Refusal.BAD_REQUEST, message)
        return described(text)

    def _events(self, turn: Turn, question: Question) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if turn.thought:
            deltas += [self._thinking()]
        elif turn.tool:
            deltas += _call_deltas(turn)
        else:
            deltas += [{"content": piece} for piece in turn.pieces]
        choices: list[dict[str, Any]] = [
            {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
        ]
        choices.append({"index": 0, "delta": {}, "finish_reason": _finish(turn)})
        kind = "chat.completion.chunk"
        events = [self._envelope(kind, question.model, [choice]) for choice in choices]
        if question.usage_wanted:
            usage = {"usage": _usage(turn)}
            events.append(self._envelope(kind, question.model, []) | usage)
        return [*map(sse, events), sse("[DONE]")]

    def _envelope(self, kind: str, model: str, choices: Sequence[object]) -> dict[str, Any]:
        return {
            "id": _ID,
            "object": kind,
            "created": _CREATED,
            "model": model,
            "choices": list(choices),
        }

    def _thinking(self) -> dict[str, Any]:
        hidden: dict[str, Any] = {"reasoning_content": "We"} if self.vendor == "deepseek" else {}
        return {"content": ""} | hidden

    def _calls(self, turn: Turn) -> dict[str, Any]:
        if turn.tool is None:
            return {}
        function = {"name": turn.tool, "arguments": json.dumps(turn.arguments)}
        return {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}


def tags(names: Sequence[str]) -> Answer:
    """Return Ollama's own `GET /api/tags`."""
    rows = [
        {
            "name": name,
            "model": name,
            "modified_at": "2026-01-01T00:00:00Z",
            "size": 1,
            "digest": "0" * 64,
            "details": {"format": "gguf", "family": "test", "parameter_size": "1B"},
        }
        for name in names
    ]
    return Answer.of({"models": rows})


def _call_deltas(turn: Turn) -> list[dict[str, Any]]:
    arguments = json.dumps(turn.arguments)
    half = len(arguments) // 2
    function = {"name": turn.tool, "arguments": ""}
    head: dict[str, Any] = {"id": "call_1", "type": "function", "function": function}
    rest: list[dict[str, Any]] = [
        {"function": {"arguments": part}} for part in (arguments[:half], arguments[half:])
    ]
    return [{"tool_calls": [{"index": 0, **part}]} for part in (head, *rest)]


def _finish(turn: Turn) -> str:
    if turn.thought:
        return "length"
    return "tool_calls" if turn.tool else "stop"


def _usage(turn: Turn) -> dict[str, Any]:
    usage: Usage = turn.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "completion_tokens_details": {"reasoning_tokens": int(turn.thought)},
    }


def _prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    users = [message for message in messages if message["role"] == "user"]
    return _text(users[-1].get("content")) if users else ""


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")
