"""Chat Completions: OpenAI, Azure, DeepSeek, Mistral, vLLM, Ollama, and proxies of others.

Sources: platform.openai.com/docs/api-reference/chat, api-docs.deepseek.com, docs.mistral.ai/api,
docs.bigmodel.cn, docs.vllm.ai, and LiteLLM's table of what its vendors say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aurorasoc.llm.wire.answers.outcome import Finish, Reading
from aurorasoc.llm.wire.answers.reading.fields import answer_among, mapping
from aurorasoc.llm.wire.answers.reading.filters import filtered
from aurorasoc.llm.wire.answers.usage import Usage, usage_of, with_cached

_WORDS: Final = {
    Finish.STOP: "stop eos eos_token end_turn stop_sequence complete",
    Finish.LENGTH: (
        "length max_tokens max_output_tokens model_length model_context_window_exceeded "
        "insufficient_system_resource token_limit time_limit repetition pause_turn"
    ),
    Finish.TOOL_CALLS: "tool_calls function_call tool_use",
    Finish.REFUSED: "refusal",
    Finish.BLOCKED: (
        "content_filter content_filtered guardrail_intervened sensitive error_toxic "
        "safety recitation blocklist prohibited_content spii language"
    ),
    Finish.BROKEN_OFF: "error abort aborted cancelled network_error",
    Finish.BAD_TOOL_CALL: "malformed_function_call unexpected_tool_call",
}
_FINISHES: Final = {name: finish for finish, names in _WORDS.items() for name in names.split()}
"""Proxies pass on what their vendors say, so other formats' words are here, too."""

_UNSAID: Final = (None, "", "null")
"""No reason: Alibaba's DashScope streams the text `null`."""


def read(document: Mapping[str, Any], reading: Reading) -> None:
    """Read a whole answer, or one event of a stream; both have the same fields."""
    reading.answers(document.get("model"))
    reading.counts(_usage(count_in(document)))
    choice = answer_among(document.get("choices"))
    if not choice:
        return
    said = mapping(choice.get("delta") or choice.get("message"))
    if said.get("refusal"):
        reading.ends(Finish.REFUSED)
    reason = choice.get("finish_reason")
    if reason not in _UNSAID:
        finish = _FINISHES.get(reason.lower() if isinstance(reason, str) else "", Finish.UNKNOWN)
        reading.ends(finish, _category(choice, reason, finish))


def count_in(document: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return where an answer or an event counts tokens; Groq's streams do so in `x_groq`."""
    return document.get("usage") or mapping(document.get("x_groq")).get("usage")


def _category(choice: Mapping[str, Any], reason: object, finish: Finish) -> object:
    if finish is Finish.BLOCKED:
        return filtered(choice.get("content_filter_results")) or reason
    return reason if finish is Finish.UNKNOWN else None


def _usage(fields: object) -> Usage | None:
    usage = usage_of(
        fields, "prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details"
    )
    counts = mapping(fields)
    details = mapping(counts.get("prompt_tokens_details"))
    return with_cached(usage, details.get("cached_tokens"), counts.get("prompt_cache_hit_tokens"))
