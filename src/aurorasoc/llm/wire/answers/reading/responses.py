"""OpenAI's Responses.

Source: platform.openai.com/docs/api-reference/responses. An answer is a list of items: messages,
whose parts are `output_text` or `refusal`, reasoning and tool calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.llm.wire.answers.outcome import Finish, Reading
from aurorasoc.llm.wire.answers.reading.fields import mapping, mappings
from aurorasoc.llm.wire.answers.reading.filters import filtered
from aurorasoc.llm.wire.answers.usage import Usage, usage_of, with_cached

_STATUSES: Final = {
    "completed": Finish.STOP,
    "incomplete": Finish.LENGTH,
    "failed": Finish.BROKEN_OFF,
    "cancelled": Finish.BROKEN_OFF,
    "queued": Finish.BROKEN_OFF,
    "in_progress": Finish.BROKEN_OFF,
}
_INCOMPLETE: Final = {
    "max_output_tokens": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "content_filter": Finish.BLOCKED,
}
_CLOSING: Final = frozenset({"response.completed", "response.incomplete"})
_REFUSALS: Final = frozenset({"response.refusal.delta", "response.refusal.done"})


def read(document: Mapping[str, Any], reading: Reading) -> None:
    """Read a whole answer."""
    reading.answers(document.get("model"))
    reading.counts(_usage(document.get("usage")))
    if any(
        part.get("type") == "refusal"
        for item in mappings(document.get("output"))
        for part in mappings(item.get("content"))
    ):
        reading.ends(Finish.REFUSED)
    status = document.get("status")
    reason = mapping(document.get("incomplete_details")).get("reason")
    if isinstance(reason, str):
        finish = _INCOMPLETE.get(reason, Finish.UNKNOWN)
        reading.ends(finish, _category(document, reason, finish))
    elif isinstance(status, str):
        reading.ends(_STATUSES.get(status, Finish.UNKNOWN), None if status in _STATUSES else status)


def read_event(event: Mapping[str, Any], reading: Reading) -> None:
    """Read one event of a stream; its last one repeats the whole answer."""
    kind = event.get("type")
    if kind in _CLOSING:
        read(mapping(event.get("response")), reading)
    elif kind in _REFUSALS:
        reading.ends(Finish.REFUSED)


def _category(document: Mapping[str, Any], reason: str, finish: Finish) -> str | None:
    """Return Azure's categories where they are named."""
    if finish is Finish.LENGTH:
        return None
    named = (
        filtered(result.get("content_filter_results"))
        for result in mappings(document.get("content_filters"))
    )
    return next(filter(None, named), reason)


def _usage(fields: object) -> Usage | None:
    usage = usage_of(
        fields, "input_tokens", "output_tokens", "total_tokens", "output_tokens_details"
    )
    details = mapping(mapping(fields).get("input_tokens_details"))
    return with_cached(usage, details.get("cached_tokens"))
