"""What a provider calls invalid: read from its codes, and named in our words alone."""

import json
from dataclasses import replace
from typing import Any, Final, NamedTuple

import pytest

from aurorasoc.config.call_options import CallOptions
from aurorasoc.errors import RequestRefused
from aurorasoc.llm.wire.failures.translate import failure_in_document, failure_of_answer
from tests.examples import reference


class Answer(NamedTuple):
    """What a vendor answers, what of the request it names, and which options."""

    status: int
    body: Any
    field: str | None = None
    options: frozenset[str] = frozenset()


def _openai(message: str, param: str | None = None, code: str | None = None) -> Any:  # noqa: ANN401 - JSON
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return {"error": error}


def _anthropic(message: str) -> Any:  # noqa: ANN401 - JSON
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


INVALID: Final = {
    "OpenAI's tools": Answer(
        400,
        _openai(
            "Invalid schema for function 'f': In context=('properties', 'temperature'), array "
            "schema missing items.",
            "tools[0].function.parameters",
            "invalid_function_parameters",
        ),
        "tools",
    ),
    "OpenAI's messages": Answer(
        400,
        _openai(
            "Invalid parameter: messages with role 'tool' must be a response to a preceding "
            "message with 'tool_calls'.",
            "messages.[1].role",
        ),
        "messages",
    ),
    "OpenAI's format": Answer(
        400, _openai("Invalid schema for response_format 'f'", "response_format"), "response_format"
    ),
    "OpenAI, Responses": Answer(400, _openai("Invalid value", "input[2].content"), "messages"),
    "Anthropic's tools": Answer(
        400,
        _anthropic(
            "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft "
            "2020-12"
        ),
        "tools",
    ),
    "Anthropic's messages": Answer(
        400,
        _anthropic("messages.2: `tool_use` ids were found without `tool_result` blocks"),
        "messages",
    ),
    "Anthropic's bound": Answer(
        400,
        _anthropic("max_tokens: 9999999 > 8192, which is the maximum allowed number"),
        None,
        frozenset({"max_tokens"}),
    ),
    "Gemini's tools": Answer(
        400,
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "* GenerateContentRequest.tools[0].function_declarations[0].name: [x]",
            }
        },
        "tools",
    ),
    "vLLM": Answer(
        400,
        {"object": "error", "type": "BadRequestError", "message": "bad", "code": 400},
    ),
    "Mistral": Answer(
        422, {"detail": [{"loc": ["body", "tools", 0, "function"], "msg": "bad"}]}, "tools"
    ),
}
NOT_SAID: Final = {
    "a code that nobody documents": (400, {"error": {"message": "bad", "type": "odd"}}),
    "Ollama": (400, {"error": "registry.ollama.ai/library/m does not support tools"}),
    "no field": (422, {"error": "invalid"}),
    "a missing feature": (501, {"error": {"message": "x", "type": "not_supported_error"}}),
    "a page": (400, "<html>invalid_request_error</html>"),
    "a sentence": (400, {"error": {"message": "is it an invalid_request_error?"}}),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_is_known(name: str) -> None:
    """By the vendor's own code, and where it says so."""
    answer = INVALID[name]
    failure = failure_of_answer(answer.status, json.dumps(answer.body), reference())
    assert isinstance(failure, RequestRefused)
    assert failure.is_invalid
    assert (failure.field, failure.options) == (answer.field, answer.options)


@pytest.mark.parametrize("name", NOT_SAID)
def test_what_isnt_said_isnt_known(name: str) -> None:
    """It may as well be the server's fault, or a feature that it lacks."""
    status, body = NOT_SAID[name]
    text = body if isinstance(body, str) else json.dumps(body)
    failure = failure_of_answer(status, text, reference())
    assert isinstance(failure, RequestRefused)
    assert not failure.is_invalid


def test_an_error_inside_an_answer_is_read_alike() -> None:
    """As in a stream's first event."""
    failure = failure_in_document(_anthropic("tools.0: bad"), reference())
    assert isinstance(failure, RequestRefused)
    assert (failure.is_invalid, failure.field) == (True, "tools")


def test_a_header_of_the_connection_is_no_callers() -> None:
    """An admin set it."""
    called = replace(reference(), options=CallOptions(headers={"Anthropic-Beta": "x"}))
    body = _anthropic("Unexpected value(s) `x` for the `anthropic-beta` header")
    failure = failure_of_answer(400, json.dumps(body), called)
    assert isinstance(failure, RequestRefused)
    assert failure.options == {"headers"}
