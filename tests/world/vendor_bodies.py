"""Whole and streamed answers in the vendors' formats, with the ending that a test names."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tests.world.vendor import Fault

Document = Mapping[str, Any]
Documents = Sequence[Document]

ANSWERING_MODEL: Final = "answering-model"
_DONE: Final = "data: [DONE]\n\n"
_BLANK: Final = b"\n\n"
"""What ends an event."""


def whole(document: Document, status: int = 200) -> Fault:
    """Answer a JSON document."""
    return Fault(status=status, body=json.dumps(document).encode())


def streamed(*events: Document, done: bool = False) -> Fault:
    """Answer events, with OpenAI's closing word if `done`."""
    blocks = [f"event: {event.get('type', 'x')}\ndata: {json.dumps(event)}\n\n" for event in events]
    body = "".join([*blocks, _DONE] if done else blocks)
    return Fault(status=200, body=body.encode(), media_type="text/event-stream")


def lost(fault: Fault) -> Fault:
    """Lose the connection in the middle of an answer."""
    return replace(fault, lost_after=len(fault.body) // 2)


def unended(fault: Fault, events: int) -> Fault:
    """End a stream in good order, without its last events."""
    blocks = fault.body.split(_BLANK)[: -1 - events]
    return replace(fault, body=_BLANK.join([*blocks, b""]))


def then(fault: Fault, *events: Document, done: bool = False) -> Fault:
    """Go on with further events."""
    return replace(fault, body=fault.body + streamed(*events, done=done).body)


def before(fault: Fault, *events: Document) -> Fault:
    """Begin with further events."""
    return replace(fault, body=streamed(*events).body + fault.body)


def chat(
    message: Document,
    reason: str | None,
    *,
    stream: bool,
    usage: Document | None = None,
    **more: Any,
) -> Fault:
    """Answer a Chat Completion; streamed, each field of the message is a piece.

    Args:
        message: What the model says.
        reason: Why it ended.
        stream: Whether it comes as events.
        usage: The count; streamed, it comes by itself, as `include_usage` asks.
        more: Further fields of the choice.
    """
    shared = {"id": "c1", "created": 1, "model": ANSWERING_MODEL}
    counted = {} if usage is None else {"usage": usage}
    if not stream:
        one = {"index": 0, "message": {"role": "assistant", **message}, **more}
        return whole({**shared, "choices": [{**one, "finish_reason": reason}], **counted})
    pieces: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in _deltas(message)
    ]
    pieces.append({"index": 0, "delta": {}, "finish_reason": reason, **more})
    events = [{**shared, "choices": [piece]} for piece in pieces]
    return streamed(
        *events, *([{**shared, "choices": [], **counted}] if counted else []), done=True
    )


def _deltas(message: Document) -> Iterator[dict[str, Any]]:
    for name, value in message.items():
        if name == "tool_calls":
            for index, call in enumerate(value):
                yield {name: [{"index": index, **call}]}
        elif value is not None:
            yield {name: value}


def chat_pieces(*deltas: Document, reason: str | None = "stop") -> Fault:
    """Stream a Chat Completion in the pieces given."""
    pieces: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    pieces.append({"index": 0, "delta": {}, "finish_reason": reason})
    shared = {"id": "c1", "model": ANSWERING_MODEL}
    return streamed(*({**shared, "choices": [piece]} for piece in pieces), done=True)


def claude(
    content: Documents, reason: str, *, stream: bool, usage: Document | None = None, **fields: Any
) -> Fault:
    """Answer in Anthropic's format.

    Args:
        content: The blocks. A streamed tool call's `input` may be a text: JSON, or its beginning.
        reason: Why it ended.
        stream: Whether it comes as events.
        usage: The count; streamed, the prompt's comes first and the answer's last.
        fields: What stands beside the reason.
    """
    ending = {"stop_reason": reason, "stop_sequence": None, **fields}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": ANSWERING_MODEL}
    counted = {} if usage is None else {"usage": usage}
    if not stream:
        return whole({**message, "content": list(content), **ending, **counted})
    began: dict[str, Any] = {**message, "content": [], "stop_reason": None}
    if usage is not None:
        began["usage"] = {**usage, "output_tokens": 1}
        counted = {"usage": {"output_tokens": usage["output_tokens"]}}
    return streamed(
        {"type": "message_start", "message": began},
        *(event for index, block in enumerate(content) for event in _block(index, block)),
        {"type": "message_delta", "delta": ending, **counted},
        {"type": "message_stop"},
    )


def _block(index: int, block: Document) -> Iterator[dict[str, Any]]:
    empty, deltas = dict(block), []
    if block["type"] == "text":
        empty["text"], deltas = "", [{"type": "text_delta", "text": block["text"]}]
    elif block["type"] == "thinking":
        empty |= {"thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    elif block["type"] == "tool_use":
        requested = block["input"]
        written = requested if isinstance(requested, str) else json.dumps(requested)
        half = len(written) // 2
        empty["input"] = {}
        deltas = [
            {"type": "input_json_delta", "partial_json": part}
            for part in ("", written[:half], written[half:])
        ]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def gemini(
    parts: Documents | None,
    reason: str | None,
    *,
    stream: bool,
    usage: Document | None = None,
    **fields: Any,
) -> Fault:
    """Answer in Gemini's format.

    Args:
        parts: What the model says; streamed, each is an event. None: there is no content.
        reason: Why it ended; without one there is no candidate.
        stream: Whether it comes as events.
        usage: The count, which every event repeats.
        fields: What stands beside the candidates.
    """
    shared = {"modelVersion": ANSWERING_MODEL, **fields}
    shared |= {} if usage is None else {"usageMetadata": usage}
    if reason is None:
        return streamed(shared) if stream else whole(shared)
    said = [[part] for part in parts] if stream and parts else [parts or []]
    candidates: list[dict[str, Any]] = [
        {"content": {"role": "model", **({"parts": list(part)} if part else {})}, "index": 0}
        for part in said
    ]
    if parts is None:
        candidates = [{"index": 0}]
    candidates[-1]["finishReason"] = reason
    documents = [{**shared, "candidates": [candidate]} for candidate in candidates]
    return streamed(*documents) if stream else whole(documents[0])


def responses(output: Documents, *, stream: bool, **fields: Any) -> Fault:
    """Answer in the format of OpenAI's Responses; streamed, the last event repeats it all."""
    shared = {"id": "resp_1", "object": "response", "created_at": 1, "model": ANSWERING_MODEL}
    settings = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None}
    response = {**shared, **settings, "status": "completed", "output": list(output), **fields}
    if not stream:
        return whole(response)
    items = (event for index, item in enumerate(output) for event in _item(index, item))
    return streamed(*items, {"type": f"response.{response['status']}", "response": response})


def _item(index: int, item: Document) -> Iterator[dict[str, Any]]:
    place = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "function_call":
        yield {"type": "response.output_item.added", **place, "item": {**item, "arguments": ""}}
        kind = "response.function_call_arguments.delta"
        yield {"type": kind, **place, "delta": item["arguments"]}
        yield {"type": "response.output_item.done", **place, "item": item}
    for part in item.get("summary", ()):
        kind = "response.reasoning_summary_text.delta"
        yield {"type": kind, **place, "summary_index": 0, "delta": part["text"]}
    for part in item.get("content", ()):
        kind = "refusal" if part["type"] == "refusal" else "output_text"
        delta = part["refusal" if kind == "refusal" else "text"]
        yield {"type": f"response.{kind}.delta", **place, "content_index": 0, "delta": delta}


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
