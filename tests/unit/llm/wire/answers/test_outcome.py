"""What came back, read from the vendors' own fields: how it ended, why, and what was counted."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from aurorasoc.llm.wire.answers.outcome import Finish, Outcome, Reading
from aurorasoc.llm.wire.answers.reading import (
    chat_completions,
    generate_content,
    messages,
    responses,
)
from aurorasoc.llm.wire.answers.usage import Usage

Read = Callable[[Mapping[str, Any], Reading], None]

CHAT: Final = {
    "stop": Finish.STOP,
    "eos_token": Finish.STOP,
    "COMPLETE": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "insufficient_system_resource": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSED,
    "content_filter": Finish.BLOCKED,
    "sensitive": Finish.BLOCKED,
    "guardrail_intervened": Finish.BLOCKED,
    "SAFETY": Finish.BLOCKED,
    "error": Finish.BROKEN_OFF,
    "abort": Finish.BROKEN_OFF,
    "network_error": Finish.BROKEN_OFF,
    "tired": Finish.UNKNOWN,
}
MESSAGES: Final = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "pause_turn": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSED,
    "tired": Finish.UNKNOWN,
}
GEMINI: Final = {
    "STOP": Finish.STOP,
    "MAX_TOKENS": Finish.LENGTH,
    "SAFETY": Finish.BLOCKED,
    "RECITATION": Finish.BLOCKED,
    "LANGUAGE": Finish.BLOCKED,
    "BLOCKLIST": Finish.BLOCKED,
    "PROHIBITED_CONTENT": Finish.BLOCKED,
    "SPII": Finish.BLOCKED,
    "IMAGE_SAFETY": Finish.BLOCKED,
    "MALFORMED_FUNCTION_CALL": Finish.BAD_TOOL_CALL,
    "OTHER": Finish.UNKNOWN,
    "FINISH_REASON_UNSPECIFIED": Finish.UNKNOWN,
    "TIRED": Finish.UNKNOWN,
}


def outcome(read: Read, *documents: Mapping[str, Any]) -> Outcome:
    """Read documents, or the events of a stream."""
    reading = Reading()
    for document in documents:
        read(document, reading)
    return reading.outcome("asked-for")


def chat(reason: object, message: Mapping[str, Any] | None = None, **more: Any) -> Outcome:
    """Read a whole Chat Completion."""
    choice = {"message": message or {"content": "x"}, "finish_reason": reason, **more}
    return outcome(chat_completions.read, {"choices": [choice]})


def claude(*events: Mapping[str, Any]) -> Outcome:
    """Read a stream of Anthropic's."""
    reading = Reading()
    stream = messages.EventsRead(reading)
    for event in events:
        stream.read(event)
    return reading.outcome("asked-for")


def gemini(**fields: Any) -> Outcome:
    """Read a whole answer of Gemini's."""
    return outcome(generate_content.read, fields)


@pytest.mark.parametrize(("reason", "finish"), CHAT.items())
def test_chat_completions_end_as_their_vendors_document(reason: str, finish: Finish) -> None:
    """Proxies pass on other vendors' words."""
    assert chat(reason).finish is finish


@pytest.mark.parametrize(("reason", "finish"), MESSAGES.items())
@pytest.mark.parametrize("stream", [False, True])
def test_messages_end_as_the_vendor_documents(
    reason: str,
    finish: Finish,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Whole and streamed, where the reason stands in a `delta`."""
    if stream:
        assert claude({"type": "message_delta", "delta": {"stop_reason": reason}}).finish is finish
    else:
        assert outcome(messages.read, {"stop_reason": reason}).finish is finish


@pytest.mark.parametrize(("reason", "finish"), GEMINI.items())
def test_gemini_ends_as_the_vendor_documents(reason: str, finish: Finish) -> None:
    """A reason that isn't in the documentation may hide half an answer."""
    assert gemini(candidates=[{"finishReason": reason}]).finish is finish


@pytest.mark.parametrize(
    ("fields", "finish", "category"),
    [
        ({"status": "completed"}, Finish.STOP, None),
        ({"status": "incomplete"}, Finish.LENGTH, None),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finish.LENGTH,
            None,
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            Finish.BLOCKED,
            "content_filter",
        ),
        ({"incomplete_details": {"reason": "tired"}}, Finish.UNKNOWN, "tired"),
        ({"status": "cancelled"}, Finish.BROKEN_OFF, None),
        (
            {"status": "completed", "output": [{"content": [{"type": "refusal"}]}]},
            Finish.REFUSED,
            None,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_responses_end_as_the_vendor_documents(
    fields: Mapping[str, Any],
    finish: Finish,
    category: str | None,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """The last event of a stream repeats the whole answer."""
    event = {"type": "response.completed", "response": fields}
    read = outcome(responses.read_event, event) if stream else outcome(responses.read, fields)
    assert (read.finish, read.category) == (finish, category)


def test_a_refusal_stays_one_though_the_model_stopped_as_usual() -> None:
    """OpenAI's refusals end with `stop`, and stand beside `content: null`."""
    said = {"content": None, "refusal": "I'm sorry, I can't help with that."}
    assert chat("stop", said).finish is Finish.REFUSED


def test_a_refusal_is_seen_in_a_stream() -> None:
    """It comes in pieces, before the reason."""
    pieces = [{"delta": {"refusal": "I can't"}}, {"delta": {}, "finish_reason": "stop"}]
    read = outcome(chat_completions.read, *({"choices": [piece]} for piece in pieces))
    assert read.finish is Finish.REFUSED


def test_the_vendor_says_why() -> None:
    """Anthropic's category, Gemini's reason, and the categories of Azure's filter."""
    details = {"type": "refusal", "category": "cyber", "explanation": "…"}
    refused = {"stop_reason": "refusal", "stop_details": details}
    assert outcome(messages.read, refused).category == "cyber"
    assert claude({"type": "message_delta", "delta": refused}).category == "cyber"
    assert gemini(candidates=[{"finishReason": "SAFETY"}]).category == "SAFETY"
    results = {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}}
    assert chat("content_filter", content_filter_results=results).category == "violence"
    assert chat("content_filter").category == "content_filter"
    assert chat("tired").category == "tired"


def test_a_blocked_prompt_needs_no_candidate() -> None:
    """Gemini leaves them out."""
    blocked = gemini(promptFeedback={"blockReason": "PROHIBITED_CONTENT"})
    assert (blocked.finish, blocked.category) == (Finish.BLOCKED, "PROHIBITED_CONTENT")


@pytest.mark.parametrize("reason", [None, "", "null"])
def test_no_reason_is_the_usual_end(reason: str | None) -> None:
    """DashScope streams the text `null` until the end."""
    assert chat(reason).finish is Finish.STOP


@pytest.mark.parametrize("word", [7, ["a"], "x" * 101, "<b>", "a\nb", "", {"a": 1}])
def test_what_is_no_word_is_not_repeated(word: object) -> None:
    """It goes into answers and logs."""
    read = outcome(chat_completions.read, {"model": word, "choices": [{"finish_reason": word}]})
    assert (read.model, read.category) == ("asked-for", None)


def test_the_model_is_the_one_that_answered() -> None:
    """An alias is resolved by the vendor."""
    events = [{"model": "gpt-4o-2024-08-06"}, {"model": ""}]
    assert outcome(chat_completions.read, *events).model == "gpt-4o-2024-08-06"
    assert gemini(modelVersion="gemini-2.5-pro").model == "gemini-2.5-pro"
    start = {"type": "message_start", "message": {"model": "claude-x"}}
    assert claude(start).model == "claude-x"


def test_tokens_are_counted_as_each_vendor_counts() -> None:
    """Thoughts are part of the answer's tokens, and counted apart where the vendor does."""
    details = {"reasoning_tokens": 4}
    openai = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    usage = openai | {"completion_tokens_details": details}
    assert outcome(chat_completions.read, {"usage": usage}).usage == Usage(7, 5, 12, 4)
    usage = {"input_tokens": 7, "output_tokens": 5, "output_tokens_details": details}
    assert outcome(responses.read, {"usage": usage}).usage == Usage(7, 5, 12, 4)
    counts = {"promptTokenCount": 7, "candidatesTokenCount": 1, "thoughtsTokenCount": 4}
    assert gemini(usageMetadata=counts).usage == Usage(7, 5, 12, 4)
    claudes = {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}
    assert outcome(messages.read, {"usage": claudes}).usage == Usage(7, 5, 12, cached_tokens=4)


def test_cached_tokens_are_read_where_each_vendor_counts_them() -> None:
    """They are part of the prompt's tokens, and cost less."""
    openai = {"prompt_tokens": 7, "completion_tokens": 5}
    expected = Usage(7, 5, 12, cached_tokens=4)
    usage = openai | {"prompt_tokens_details": {"cached_tokens": 4}}
    assert outcome(chat_completions.read, {"usage": usage}).usage == expected
    deepseeks = openai | {"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 3}
    assert outcome(chat_completions.read, {"usage": deepseeks}).usage == expected
    usage = {
        "input_tokens": 7,
        "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 4},
    }
    assert outcome(responses.read, {"usage": usage}).usage == expected
    counts = {"promptTokenCount": 7, "candidatesTokenCount": 5, "cachedContentTokenCount": 4}
    assert gemini(usageMetadata=counts).usage == expected
    claudes = {
        "input_tokens": 1,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 2,
        "output_tokens": 5,
    }
    written = Usage(7, 5, 12, cached_tokens=4, cache_write_tokens=2)
    assert outcome(messages.read, {"usage": claudes}).usage == written


def test_the_tokens_of_a_claude_stream_are_its_last_count() -> None:
    """The first event knows the prompt only; its output count is no answer's."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}
    assert claude(start).usage is None
    assert claude(start, {"type": "message_delta", "usage": {"output_tokens": 5}}).usage == Usage(
        7, 5, 12
    )


def test_groqs_streams_count_elsewhere() -> None:
    """What stands at OpenAI's place counts before it."""
    counts = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    groqs = {"x_groq": {"id": "req_1", "usage": counts}}
    assert outcome(chat_completions.read, groqs).usage == Usage(7, 5, 12)
    openais = groqs | {"usage": counts | {"total_tokens": 13}}
    assert outcome(chat_completions.read, openais).usage == Usage(7, 5, 13)
    assert outcome(chat_completions.read, {"x_groq": {"id": "req_1"}}).usage is None


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 7},
        {"prompt_tokens": 7, "completion_tokens": None},
        {"prompt_tokens": 7, "completion_tokens": -1},
        {"prompt_tokens": 7, "completion_tokens": True},
        {"prompt_tokens": 7, "completion_tokens": 10**400},
        {"prompt_tokens": 7, "completion_tokens": 1.5},
    ],
)
def test_what_is_not_counted_is_not_guessed(usage: object) -> None:
    """Zeros throughout are no count, either."""
    assert outcome(chat_completions.read, {"usage": usage}).usage is None


@pytest.mark.parametrize("read", [chat_completions.read, responses.read, messages.read])
@pytest.mark.parametrize("document", [{}, {"choices": "x"}, {"choices": [7]}, {"output": [[]]}])
def test_whatever_comes_is_read_without_an_error(read: Read, document: Mapping[str, Any]) -> None:
    """The formats judge whether it is an answer."""
    assert outcome(read, document).usage is None


def test_calls_are_summed_only_if_both_were_counted() -> None:
    """A sum with a gap would be a guess."""
    assert Usage(1, 2, 3, 1).plus(Usage(1, 2, 3, 2)) == Usage(2, 4, 6, 3)
    assert Usage(1, 2, 3, 1).plus(Usage(1, 2, 3)) == Usage(2, 4, 6)
    assert Usage(1, 2, 3).plus(None) is None
