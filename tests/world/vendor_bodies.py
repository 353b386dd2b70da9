"""Whole and streamed answers in the vendors' formats, with the ending that a test names."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.world.vendor import Fault

Events = Sequence[Mapping[str, Any]]


def whole(document: Mapping[str, Any], status: int = 200) -> Fault:
    """Answer a JSON document."""
    return Fault(status=status, body=json.dumps(document).encode())


def streamed(*events: Mapping[str, Any], done: bool = False) -> Fault:
    """Answer events, with OpenAI's closing word if `done`."""
    blocks = [f"event: {event.get('type', 'x')}\ndata: {json.dumps(event)}\n\n" for event in events]
    body = "".join([*blocks, "data: [DONE]\n\n"] if done else blocks)
    return Fault(status=200, body=body.encode(), media_type="text/event-stream")


def chat(message: Mapping[str, Any], reason: str | None, *, stream: bool, **choice: Any) -> Fault:
    """Answer a Chat Completion; streamed, each field of the message is a piece."""
    shared = {"id": "c1", "created": 1, "model": "answering-model"}
    if not stream:
        one = {"index": 0, "message": {"role": "assistant", **message}, **choice}
        return whole({**shared, "choices": [{**one, "finish_reason": reason}]})
    deltas = [{name: value} for name, value in message.items() if value is not None]
    pieces: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    pieces.append({"index": 0, "delta": {}, "finish_reason": reason, **choice})
    return streamed(*({**shared, "choices": [piece]} for piece in pieces), done=True)


def chat_pieces(*deltas: Mapping[str, Any], reason: str | None = "stop") -> Fault:
    """Stream a Chat Completion in the pieces given."""
    pieces: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    pieces.append({"index": 0, "delta": {}, "finish_reason": reason})
    return streamed(*({"id": "c1", "choices": [piece]} for piece in pieces), done=True)


def claude(text: str, reason: str, *, stream: bool, **fields: Any) -> Fault:
    """Answer in Anthropic's format."""
    ending = {"stop_reason": reason, "stop_sequence": None, **fields}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "answering-model"}
    usage = {"input_tokens": 9, "output_tokens": 5}
    part = {"type": "text", "text": text}
    if not stream:
        content = [part] if text else []
        return whole({**message, "content": content, **ending, "usage": usage})
    begun: dict[str, Any] = {**message, "content": [], "stop_reason": None, "usage": usage}
    empty = {"type": "text", "text": ""}
    block = [
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        },
        {"type": "content_block_stop", "index": 0},
    ]
    return streamed(
        {"type": "message_start", "message": begun},
        *(block if text else []),
        {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )


def gemini(text: str, reason: str | None, *, stream: bool, **fields: Any) -> Fault:
    """Answer in Gemini's format; without a reason there is no candidate."""
    content = {"content": {"role": "model", "parts": [{"text": text}]}} if text else {}
    candidates = [{**content, "finishReason": reason, "index": 0}] if reason else []
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10}
    document = {"modelVersion": "answering-model", "usageMetadata": counts, **fields}
    if candidates:
        document["candidates"] = candidates
    return streamed(document) if stream else whole(document)


def responses(output: Events, *, stream: bool, **fields: Any) -> Fault:
    """Answer in the format of OpenAI's Responses; streamed, all comes with the last event."""
    shared = {"id": "resp_1", "object": "response", "created_at": 1, "model": "answering-model"}
    settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    response = {**shared, **settings, "status": "completed", "output": list(output), **fields}
    if not stream:
        return whole(response)
    ending = "incomplete" if response["status"] == "incomplete" else "completed"
    parts = [part for item in output for part in item.get("content", ())]
    deltas = [
        {
            "type": "response.output_text.delta",
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": part["text"],
        }
        for part in parts
        if part["type"] == "output_text"
    ]
    return streamed(*deltas, {"type": f"response.{ending}", "response": response})


def said(text: str, kind: str = "output_text") -> dict[str, Any]:
    """Return a message of Responses, with one part."""
    field = "refusal" if kind == "refusal" else "text"
    part = {"type": kind, field: text, "annotations": []}
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
