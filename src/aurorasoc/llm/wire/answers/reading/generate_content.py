"""Gemini generateContent.

Source: ai.google.dev/api/generate-content, "FinishReason", "BlockReason" and "UsageMetadata".
A blocked prompt has no candidate. Thoughts share `maxOutputTokens`, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.llm.wire.answers.outcome import Finish, Reading
from aurorasoc.llm.wire.answers.reading.fields import answer_among, mapping
from aurorasoc.llm.wire.answers.usage import Usage, tokens

_FINISHES: Final = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "MALFORMED_FUNCTION_CALL": Finish.BAD_TOOL_CALL,
    "UNEXPECTED_TOOL_CALL": Finish.BAD_TOOL_CALL,
    "TOO_MANY_TOOL_CALLS": Finish.BAD_TOOL_CALL,
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "JAILBREAK",
            "MODEL_ARMOR",
        ),
        Finish.BLOCKED,
    ),
}


def read(document: Mapping[str, Any], reading: Reading) -> None:
    """Read a whole answer, or one event of a stream; both have the same fields."""
    reading.answers(document.get("modelVersion"))
    reading.counts(_usage(mapping(document.get("usageMetadata"))))
    blocked = mapping(document.get("promptFeedback")).get("blockReason")
    if blocked:
        reading.ends(Finish.BLOCKED, blocked)
    reason = answer_among(document.get("candidates")).get("finishReason")
    if isinstance(reason, str):
        finish = _FINISHES.get(reason, Finish.UNKNOWN)
        reading.ends(finish, None if finish in {Finish.STOP, Finish.LENGTH} else reason)


def _usage(fields: Mapping[str, Any]) -> Usage | None:
    asked = tokens(fields.get("promptTokenCount"))
    if not asked:
        return None
    thoughts = tokens(fields.get("thoughtsTokenCount"))
    answered = (tokens(fields.get("candidatesTokenCount")) or 0) + (thoughts or 0)
    total = tokens(fields.get("totalTokenCount"))
    cached = tokens(fields.get("cachedContentTokenCount"))
    return Usage(asked, answered, asked + answered if total is None else total, thoughts, cached)
