"""The Responses wire format. Source: platform.openai.com/docs/api-reference/responses.

Models that think take no `temperature` there, and a refused one is a 400.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.world.vendor.faults import Refusal
from tests.world.vendor.http1 import Answer, sse
from tests.world.vendor.turn import Question, RefusedError, Tool, Turn

_SHARED: Final = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_760_000_000,
    "error": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
_THOUGHT: Final = {"type": "reasoning", "id": "rs_1", "summary": []}


def asked(body: Mapping[str, Any]) -> Question:
    """Read the request body."""
    if "temperature" in body:
        raise RefusedError(Refusal.BAD_REQUEST, "Unsupported parameter: 'temperature'.")
    items, choice = body["input"], body.get("tool_choice")
    form = (body.get("text") or {}).get("format") or {}
    return Question(
        vendor="openai",
        model=body["model"],
        prompt=_prompt(items),
        stream=bool(body.get("stream")),
        tools=[Tool(t["name"], t.get("parameters", {})) for t in body.get("tools") or []],
        forced_tool=choice["name"] if isinstance(choice, dict) else None,
        tool_required=choice == "required",
        called=[item["name"] for item in items if item.get("type") == "function_call"],
        schema=form.get("schema"),
        responses=True,
    )


def answered(turn: Turn, question: Question) -> Answer:
    """Write the turn, streamed if that was asked for."""
    whole = _response(turn, question)
    if not question.stream:
        return Answer.of(whole)
    return Answer.stream([sse(event, str(event["type"])) for event in _events(turn, whole)])


def _response(turn: Turn, question: Question) -> dict[str, Any]:
    status = "incomplete" if turn.thought else "completed"
    usage = {
        "input_tokens": turn.usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": turn.usage.completion,
        "output_tokens_details": {"reasoning_tokens": int(turn.thought)},
        "total_tokens": turn.usage.total,
    }
    return {
        **_SHARED,
        "model": question.model,
        "status": status,
        "incomplete_details": {"reason": "max_output_tokens"} if turn.thought else None,
        "output": [_THOUGHT, *([] if turn.thought else [_item(turn)])],
        "usage": usage,
    }


def _item(turn: Turn) -> dict[str, Any]:
    if turn.tool:
        arguments = json.dumps(turn.arguments)
        call = {"id": "fc_1", "call_id": "call_1", "name": turn.tool, "arguments": arguments}
        return {"type": "function_call", "status": "completed", **call}
    content = [{"type": "output_text", "text": turn.text, "annotations": []}]
    return {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": content,
    }


def _events(turn: Turn, whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    if not turn.thought:
        events += _item_events(turn)
    ending = "response.incomplete" if turn.thought else "response.completed"
    events.append({"type": ending, "response": whole})
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def _item_events(turn: Turn) -> list[dict[str, Any]]:
    item, place = _item(turn), {"output_index": 1, "item_id": "item_1"}
    if turn.tool:
        empty, kind = item | {"arguments": ""}, "response.function_call_arguments.delta"
        half = len(item["arguments"]) // 2
        parts = [item["arguments"][:half], item["arguments"][half:]]
    else:
        empty, kind = item | {"content": []}, "response.output_text.delta"
        parts = turn.pieces
    return [
        {"type": "response.output_item.added", **place, "item": empty},
        *({"type": kind, **place, "content_index": 0, "delta": part} for part in parts),
        {"type": "response.output_item.done", **place, "item": item},
    ]


def _prompt(items: Sequence[Mapping[str, Any]]) -> str:
    texts = [item["content"] for item in items if item.get("role") == "user"]
    last = texts[-1] if texts else ""
    return last if isinstance(last, str) else " ".join(str(p.get("text", "")) for p in last)
