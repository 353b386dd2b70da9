"""Refused, blocked, broken off, ended for an unknown reason: no answer, and never asked again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage

from aurorasoc.errors import (
    BadResponse,
    Blocked,
    ContextTooLong,
    ModelCallError,
    ProviderOverloaded,
    ProviderRateLimited,
    Refused,
)
from aurorasoc.llm.models.traffic import TrafficLedger
from aurorasoc.llm.wire.answers.outcome import outcome_of
from tests.component.live import World, handle_on, variable
from tests.examples import settings
from tests.world.fixtures import VENDOR_KEYS
from tests.world.vendor import Fault
from tests.world.vendor_bodies import chat, claude, gemini, responses, said, whole

PING: Final[list[Any]] = [UserMessage("ping")]
PARTIAL: Final = "The payload first disables"
CYBER: Final = {"type": "refusal", "category": "cyber", "explanation": "…"}
AZURE: Final = {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}}
FILTERED: Final = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}

Case = tuple[str, Callable[[bool], Fault], type[ModelCallError], str | None]


def _chat(text: str | None, reason: str, **more: Any) -> Callable[[bool], Fault]:
    message = {"content": text, **more.pop("message", {})}
    return lambda stream: chat(message, reason, stream=stream, **more)


def _claude(text: str, reason: str, **more: Any) -> Callable[[bool], Fault]:
    return lambda stream: claude(text, reason, stream=stream, **more)


def _gemini(text: str, reason: str | None, **more: Any) -> Callable[[bool], Fault]:
    return lambda stream: gemini(text, reason, stream=stream, **more)


def _responses(*output: dict[str, Any], **more: Any) -> Callable[[bool], Fault]:
    return lambda stream: responses(output, stream=stream, **more)


CASES: Final[dict[str, Case]] = {
    "OpenAI's refusal": (
        "openai",
        _chat(None, "stop", message={"refusal": "I can't help with that."}),
        Refused,
        None,
    ),
    "a filter, nothing said": ("vllm", _chat("", "content_filter"), Blocked, "content_filter"),
    "Azure's filter, half said": (
        "openai",
        _chat(PARTIAL, "content_filter", content_filter_results=AZURE),
        Blocked,
        "violence",
    ),
    "Z.ai's filter": ("openai", _chat(PARTIAL, "sensitive"), Blocked, "sensitive"),
    "a failure in mid-answer": ("openai", _chat(PARTIAL, "error"), ProviderOverloaded, None),
    "an unknown end": ("ollama", _chat(PARTIAL, "tired"), BadResponse, "tired"),
    "DeepSeek's filter": (
        "deepseek",
        _chat(PARTIAL, "content_filter"),
        Blocked,
        "content_filter",
    ),
    "Claude's refusal, nothing said": (
        "anthropic",
        _claude("", "refusal", stop_details=CYBER),
        Refused,
        "cyber",
    ),
    "Claude's refusal, half said": (
        "anthropic",
        _claude(PARTIAL, "refusal", stop_details=CYBER),
        Refused,
        "cyber",
    ),
    "Claude's refusal without a category": ("anthropic", _claude("", "refusal"), Refused, None),
    **{
        f"Gemini's {reason}": ("gemini", _gemini("", reason), Blocked, reason)
        for reason in ("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE")
    },
    "Gemini's RECITATION, half said": (
        "gemini",
        _gemini(PARTIAL, "RECITATION"),
        Blocked,
        "RECITATION",
    ),
    "Gemini's blocked prompt": (
        "gemini",
        _gemini("", None, promptFeedback={"blockReason": "PROHIBITED_CONTENT"}),
        Blocked,
        "PROHIBITED_CONTENT",
    ),
    "Gemini's unreadable tool call": (
        "gemini",
        _gemini("", "MALFORMED_FUNCTION_CALL"),
        BadResponse,
        "MALFORMED_FUNCTION_CALL",
    ),
    "Gemini's unknown end": ("gemini", _gemini(PARTIAL, "OTHER"), BadResponse, "OTHER"),
    "Responses' refusal": ("responses", _responses(said("I can't", "refusal")), Refused, None),
    "Responses' filter": (
        "responses",
        _responses(said(PARTIAL), **FILTERED),
        Blocked,
        "content_filter",
    ),
}

_KEY: Final = VENDOR_KEYS["openai"]


def _filter_named(name: str) -> Fault:
    results = {name: {"filtered": True}}
    error = {"code": "content_filter", "innererror": {"content_filter_result": results}}
    return whole({"error": error}, status=400)


PROMPTS: Final[dict[str, tuple[int, dict[str, Any], str]]] = {
    "Azure": (
        400,
        {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's "
                "content management policy.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {
                        "jailbreak": {"filtered": True, "detected": True},
                        "hate": {"filtered": False, "severity": "safe"},
                    },
                },
            }
        },
        "jailbreak",
    ),
    "OpenAI": (
        403,
        {"error": {"message": "…", "type": "invalid_request_error", "code": "cyber_policy"}},
        "cyber_policy",
    ),
    "Alibaba": (
        400,
        {"error": {"message": "Input data may contain …", "code": "data_inspection_failed"}},
        "data_inspection_failed",
    ),
    "OpenRouter": (
        403,
        {
            "error": {
                "code": 403,
                "message": "Content flagged by moderation",
                "metadata": {"reasons": ["violence", "hate"], "flagged_input": "ping"},
            }
        },
        "violence, hate",
    ),
}


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    """Make each call whole and streamed."""
    return bool(request.param)


async def _failure(
    world: World, folder: Path, provider: str, *, stream: bool
) -> tuple[ModelCallError, TrafficLedger]:
    """Call a provider, which may be tried three times, and return what comes of it."""
    overrides = {"LLM_MAX_RETRIES": "2"}
    if provider == "responses":
        provider = "openai"
        overrides[variable("openai", "MODEL")] = "gpt-5-codex"
    ledger = TrafficLedger()
    handle = handle_on(settings(folder, **world.variables(**overrides)), provider, ledger)
    with pytest.raises(ModelCallError) as caught:
        await handle.run(PING, stream=stream)
    return caught.value, ledger


@pytest.mark.parametrize("name", CASES)
async def test_no_answer_is_an_error_that_says_why(
    world: World, tmp_path: Path, name: str, *, stream: bool
) -> None:
    """Whole and streamed, with half an answer before it or none; traffic knows it, too."""
    provider, answer, leaf, category = CASES[name]
    world.keyed.faults.set(answer(stream))
    world.ollama.faults.set(answer(stream))
    error, ledger = await _failure(world, tmp_path, provider, stream=stream)
    assert (type(error), error.category) == (leaf, category)
    assert category is None or category in error.detail
    assert "token" not in error.detail
    assert PARTIAL not in error.detail
    assert {code for _, code in ledger.counts} == {error.code}


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if case[2] is not ProviderOverloaded]
)
async def test_who_declined_is_not_asked_again(
    world: World, tmp_path: Path, name: str, *, stream: bool
) -> None:
    """The same model would decline again, and its vendor may count it."""
    provider, answer, _, _ = CASES[name]
    world.keyed.faults.set(answer(stream))
    world.ollama.faults.set(answer(stream))
    await _failure(world, tmp_path, provider, stream=stream)
    assert len(world.keyed.requests) + len(world.ollama.requests) == 1


@pytest.mark.parametrize("name", PROMPTS)
async def test_a_prompt_that_a_filter_stops_is_blocked(
    world: World, tmp_path: Path, name: str, *, stream: bool
) -> None:
    """Not an option that the model refuses, and not the key."""
    status, document, category = PROMPTS[name]
    world.keyed.faults.set(whole(document, status))
    error, _ = await _failure(world, tmp_path, "openai", stream=stream)
    assert (type(error), error.category) == (Blocked, category)
    assert len(world.keyed.requests) == 1


async def test_an_error_beside_its_finish_reason_is_told_by_the_error(
    world: World, tmp_path: Path
) -> None:
    """OpenRouter sends both."""
    error = {"code": 429, "message": "slow down"}
    choice = {"index": 0, "message": {"content": "x"}, "finish_reason": "error"}
    world.keyed.faults.set(whole({"error": error, "choices": [choice]}))
    failure, _ = await _failure(world, tmp_path, "openai", stream=False)
    assert isinstance(failure, ProviderRateLimited)


@pytest.mark.parametrize(
    "fault",
    [
        chat({"content": "pong"}, _KEY, stream=False),
        _filter_named(_KEY),
        _filter_named("<b>\nBlocked: true"),
    ],
    ids=["its finish reason", "its filter", "its filter, with markup"],
)
async def test_category_repeats_no_key_and_no_markup(
    world: World, tmp_path: Path, fault: Fault
) -> None:
    """A gateway may write anything there; it goes into answers, logs and the audit log."""
    world.keyed.faults.set(fault)
    error, _ = await _failure(world, tmp_path, "openai", stream=False)
    assert error.category in {None, "content_filter"}
    assert _KEY not in error.detail
    assert "<b>" not in error.detail


async def test_name_of_the_model_that_answered_repeats_no_key(world: World, tmp_path: Path) -> None:
    """Chat and reports show it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "pong"}}
    world.keyed.faults.set(whole({"id": "1", "created": 1, "model": _KEY, "choices": [choice]}))
    answer = await handle_on(settings(tmp_path, **world.variables()), "openai").run(PING)
    assert outcome_of(answer).model == "gpt-4o"


@pytest.mark.parametrize("said", ["", 'data: {"choices": [{"delta": {"content": "po"}}]}\n\n'])
async def test_error_that_an_old_server_streams_in_a_field_of_its_own_is_read(
    world: World, tmp_path: Path, said: str
) -> None:
    """llama.cpp before September 2025; a client that passes over it gets half an answer."""
    message = "the request exceeds the available context size. try increasing the context size"
    error = json.dumps({"code": 400, "message": message, "type": "invalid_request_error"})
    body = f"{said}error: {error}\n\ndata: [DONE]\n\n".encode()
    world.keyed.faults.set(Fault(status=200, body=body, media_type="text/event-stream"))
    with pytest.raises(ContextTooLong):
        await handle_on(settings(tmp_path, **world.variables()), "vllm").run(PING, stream=True)
