"""What vendors, servers and gateways answer when a call fails, and which of our errors it is.

Each body is what its maker documents, or what public reports quote.
"""

import json
from typing import Any, Final, NamedTuple

import pytest

from aurorasoc.errors import (
    AuthFailed,
    BadResponse,
    ContextTooLong,
    EndpointNotFound,
    ModelCallError,
    ModelNotFound,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    QuotaExceeded,
    RequestRefused,
)
from aurorasoc.llm.wire.failures.translate import failure_in_document, failure_of_answer
from tests.examples import reference

PAGE: Final = (
    "<html><head><title>404 Not Found</title></head><body>nginx model not found</body></html>"
)


class Answer(NamedTuple):
    """What a server answers, and what that is."""

    status: int
    body: Any
    expected: type[ModelCallError]


def _error(message: object, kind: str | None = None, code: object = None, **more: object) -> Any:  # noqa: ANN401 - JSON
    return {"error": {"message": message, "type": kind, "code": code, **more}}


_ROUTE: Final = "/chat/completions: Invalid model name passed in model=m. Call `/v1/models` to view"
MODELS: Final = {
    "OpenAI": Answer(
        404, _error("The model `m` does not exist", code="model_not_found"), ModelNotFound
    ),
    "OpenAI, another API's": Answer(
        404, _error("This is not a chat model", param="model"), ModelNotFound
    ),
    "OpenAI, no access": Answer(
        403, _error("Project `p` does not have access", code="model_not_found"), ModelNotFound
    ),
    "Azure": Answer(
        404,
        _error("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
        ModelNotFound,
    ),
    "Anthropic": Answer(
        404,
        {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-m"}},
        ModelNotFound,
    ),
    "Gemini": Answer(
        404,
        [_error("models/m is not found for API version v1beta", code=404, status="NOT_FOUND")],
        ModelNotFound,
    ),
    "DeepSeek": Answer(400, _error("Model Not Exist", "invalid_request_error"), ModelNotFound),
    "Mistral": Answer(
        400,
        {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500"},
        ModelNotFound,
    ),
    "Together": Answer(
        400, _error("Unable to access non-serverless m", code="model_not_available"), ModelNotFound
    ),
    "OpenRouter": Answer(400, _error("m is not a valid model ID", code=400), ModelNotFound),
    "OpenRouter, gone": Answer(404, _error("No endpoints found for m.", code=404), ModelNotFound),
    "Groq, retired": Answer(400, _error("m is gone", code="model_decommissioned"), ModelNotFound),
    "vLLM": Answer(
        404, _error("The model `m` does not exist.", "NotFoundError", 404), ModelNotFound
    ),
    "vLLM before 0.10": Answer(
        404,
        {"object": "error", "message": "The model `m` does not exist.", "code": 404},
        ModelNotFound,
    ),
    "Ollama": Answer(404, _error("model 'm' not found", "not_found_error"), ModelNotFound),
    "Ollama, native": Answer(404, {"error": 'model "m" not found, try pulling it'}, ModelNotFound),
    "llama.cpp": Answer(404, _error("model 'm' not found", "not_found_error", 404), ModelNotFound),
    "LM Studio": Answer(404, _error("Failed", code="model_not_found"), ModelNotFound),
    "LM Studio, empty": Answer(400, {"error": "No models loaded. Please load one"}, ModelNotFound),
    "LiteLLM's proxy": Answer(400, _error(_ROUTE, "None", "400"), ModelNotFound),
    "LiteLLM's proxy, nested": Answer(400, _error({"error": _ROUTE}, code="400"), ModelNotFound),
    "LiteLLM's proxy, as text": Answer(
        400, _error(f"400: {{'error': '{_ROUTE}'}}", "None", 400), ModelNotFound
    ),
    "Hugging Face": Answer(
        400,
        _error(
            "The requested model 'm' is not supported by any provider you have enabled.",
            code="model_not_supported",
        ),
        ModelNotFound,
    ),
    "Hugging Face, a company": Answer(
        400, {"error": "Model not supported by provider together"}, ModelNotFound
    ),
    "Bedrock": Answer(400, {"message": "The provided model identifier is invalid."}, ModelNotFound),
    "a gateway's text": Answer(404, "model m not found", ModelNotFound),
    "NVIDIA": Answer(404, {"status": 404, "detail": "Model m: not found for it"}, ModelNotFound),
}
ENDPOINTS: Final = {
    "OpenAI": Answer(404, _error("Invalid URL (POST /v1/x)"), EndpointNotFound),
    "Groq": Answer(
        404, _error("Unknown request URL: POST /x", code="unknown_url"), EndpointNotFound
    ),
    "Anthropic": Answer(
        404,
        {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}},
        EndpointNotFound,
    ),
    "Azure": Answer(404, _error("Resource not found", code="404"), EndpointNotFound),
    "FastAPI, so vLLM": Answer(404, {"detail": "Not Found"}, EndpointNotFound),
    "Ollama": Answer(404, "404 page not found", EndpointNotFound),
    "llama.cpp": Answer(404, _error("File Not Found", "not_found_error", 404), EndpointNotFound),
    "nginx": Answer(404, PAGE, EndpointNotFound),
    "nothing": Answer(404, "", EndpointNotFound),
    "another method": Answer(405, {"detail": "Method Not Allowed"}, EndpointNotFound),
    "gone": Answer(410, "", EndpointNotFound),
    "Bedrock, another root": Answer(
        400, _error("model `m` isn't supported on this route"), EndpointNotFound
    ),
    "Bedrock, another protocol": Answer(
        400,
        _error("The model 'm' does not support the '/v1/chat/completions' API"),
        EndpointNotFound,
    ),
}
CONTEXTS: Final = {
    "OpenAI": Answer(400, _error("Too long", code="context_length_exceeded"), ContextTooLong),
    "OpenAI, Responses": Answer(
        400, _error("Your input exceeds the context window of this model."), ContextTooLong
    ),
    "Anthropic, bytes": Answer(
        413, {"error": {"type": "request_too_large", "message": "Too large"}}, ContextTooLong
    ),
    "Groq": Answer(413, _error("Request too large for model `m` on TPM"), ContextTooLong),
    "OpenAI, minute": Answer(
        429, _error("Request too large for m on tokens per min"), ContextTooLong
    ),
    "nginx": Answer(413, PAGE, ContextTooLong),
    "LiteLLM's proxy": Answer(
        400,
        _error("litellm.ContextWindowExceededError: OpenAIException", code="400"),
        ContextTooLong,
    ),
    "Text Generation Inference": Answer(
        422,
        {"error": "`inputs` tokens + `max_new_tokens` must be <= 2048", "error_type": "validation"},
        ContextTooLong,
    ),
    "LM Studio": Answer(
        400,
        {"error": "The number of tokens to keep is greater than the context length."},
        ContextTooLong,
    ),
    "LM Studio, by its count": Answer(
        400, {"error": "Input does not fit in context length."}, ContextTooLong
    ),
    "Ollama": Answer(
        400, {"error": "prompt too long; exceeded max context length by 9 tokens"}, ContextTooLong
    ),
    "llama.cpp, in mid-answer": Answer(
        500, _error("Context size has been exceeded.", "server_error", 500), ContextTooLong
    ),
}
WINDOWS: Final = {
    "llama.cpp": (_error("Too long", "exceed_context_size_error", 400, n_ctx=4096), 4096),
    "llama.cpp's text": (
        _error("request (5584 tokens) exceeds the available context size (4096 tokens), try it"),
        4096,
    ),
    "vLLM": (
        _error(
            "This model's maximum context length is 16384 tokens. However, you requested 122946 "
            "tokens (112946 in the messages, 10000 in the completion)."
        ),
        16384,
    ),
    "vLLM's engine": (
        _error(
            "The decoder prompt (length 88049) is longer than the maximum model length of 32768."
        ),
        32768,
    ),
    "SGLang": (
        _error(
            "The input (85050 tokens) is longer than the model's context length (32768 tokens)."
        ),
        32768,
    ),
    "LM Studio": (
        _error(
            "Input does not fit in context length. The input has 31430 tokens, but the context "
            "length only supports 30000 tokens."
        ),
        30_000,
    ),
    "OpenAI": (_error("Input tokens exceed the configured limit of 272000 tokens."), 272_000),
    "Anthropic": (_error("prompt is too long: 208310 tokens > 200000 maximum"), 200_000),
    "Anthropic, with the answer": (
        _error("input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, x"),
        200_000,
    ),
    "Gemini": (
        [
            _error(
                "The input token count (1200293) exceeds the maximum number of tokens allowed "
                "(1048576)."
            )
        ],
        1_048_576,
    ),
    "DeepSeek": (_error("This model's maximum context length is 131072 tokens."), 131_072),
    "Mistral": (
        _error(
            "Prompt contains 300000 tokens, too large for model with 131072 maximum context length"
        ),
        131_072,
    ),
    "xAI": (_error("This model's maximum prompt length is 131072 but it has 2 tokens."), 131_072),
    "LiteLLM's proxy": (
        _error("litellm.ContextWindowExceededError: maximum context length is 8,192 tokens"),
        8192,
    ),
    "no number": (_error("prompt is too long"), None),
}
PASSING: Final = {
    "OpenAI": Answer(500, _error("The server had an error", "server_error"), ProviderOverloaded),
    "Anthropic": Answer(
        529, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, ProviderOverloaded
    ),
    "Gemini": Answer(503, [_error("Overloaded", status="UNAVAILABLE")], ProviderOverloaded),
    "Ollama": Answer(503, {"error": "server busy, please try again"}, ProviderOverloaded),
    "llama.cpp": Answer(503, _error("Loading model", "unavailable_error", 503), ProviderOverloaded),
    "vLLM": Answer(500, _error("EngineCore", "InternalServerError", 500), ProviderOverloaded),
    "nginx": Answer(502, PAGE, ProviderOverloaded),
    "Envoy": Answer(503, "no healthy upstream", ProviderOverloaded),
    "Cloudflare": Answer(520, PAGE, ProviderOverloaded),
    "Groq": Answer(498, _error("Flex tier capacity exceeded"), ProviderOverloaded),
    "Text Generation Inference": Answer(424, {"error": "Failed"}, ProviderOverloaded),
    "LiteLLM's proxy without a database": Answer(
        400, _error("No connected db.", "no_db_connection", "400"), ProviderOverloaded
    ),
    "an older one": Answer(
        401, _error("Authentication Error, No connected db.", "auth_error", 401), ProviderOverloaded
    ),
}
OTHERS: Final = {
    "a gateway's time-out": Answer(504, PAGE, ProviderTimeout),
    "Cloudflare's time-out": Answer(524, PAGE, ProviderTimeout),
    "xAI's wrong key": Answer(400, _error("Incorrect API key provided: x***"), AuthFailed),
    "Gemini's wrong key": Answer(
        400,
        [_error("No", details=[{"@type": "x", "reason": "API_KEY_INVALID"}])],
        AuthFailed,
    ),
    "Gemini's day": Answer(
        429,
        [
            _error(
                "Quota", details=[{"violations": [{"quotaId": "GenerateRequestsPerDayPerModel"}]}]
            )
        ],
        QuotaExceeded,
    ),
    "Gemini's minute": Answer(
        429,
        [_error("Quota", details=[{"violations": [{"quotaId": "RequestsPerMinutePerModel"}]}])],
        ProviderRateLimited,
    ),
    "Moonshot's balance": Answer(
        403, _error("Your account is not active", "exceeded_current_quota_error"), QuotaExceeded
    ),
    "xAI's balance": Answer(
        403,
        {
            "code": "The caller does not have permission to execute the specified operation",
            "error": "Your newly created team doesn't have any credits or licenses yet.",
        },
        QuotaExceeded,
    ),
    "xAI's spending": Answer(
        429, {"error": "Your team x has either used all available credits or …"}, QuotaExceeded
    ),
    "llama.cpp, old": Answer(
        500,
        _error("Input prompt is too big compared to KV size.", "server_error", 500),
        ContextTooLong,
    ),
    "Kimi's plan": Answer(
        403,
        _error("You've reached your usage limit for this billing cycle.", "permission_error"),
        QuotaExceeded,
    ),
    "Alibaba's balance": Answer(
        400, {"message": "Access denied, …", "code": "Arrearage"}, QuotaExceeded
    ),
    "a balance that is said to be unauthorised": Answer(
        401, _error("You exceeded your current quota", "insufficient_quota"), QuotaExceeded
    ),
    "LiteLLM's budget": Answer(400, _error("Budget has been exceeded!"), QuotaExceeded),
    "LiteLLM's budget, newer": Answer(422, _error("Budget has been exceeded!"), QuotaExceeded),
    "Groq's JSON": Answer(400, _error("Failed", code="json_validate_failed"), BadResponse),
    "Groq's tool call": Answer(400, _error("Failed", code="tool_use_failed"), BadResponse),
    "a limit on the answer": Answer(
        400,
        _error(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
            "context length is 4096 tokens and your request has 20 input tokens"
        ),
        RequestRefused,
    ),
    "OpenRouter's options": Answer(
        404, _error("No endpoints found that support tool use.", code=404), RequestRefused
    ),
    "Mistral's validation": Answer(
        422, {"detail": [{"loc": ["body"], "msg": "Extra inputs"}]}, RequestRefused
    ),
    "llama.cpp's missing feature": Answer(
        501, _error("Not supported", "not_supported_error", 501), RequestRefused
    ),
    "an egress proxy's page": Answer(403, PAGE, AuthFailed),
    "a captive portal": Answer(511, PAGE, BadResponse),
    "a redirect": Answer(308, "", BadResponse),
}
HTTP: Final = {
    f"{group}: {name}": answer
    for group, rows in {
        "model": MODELS,
        "endpoint": ENDPOINTS,
        "context": CONTEXTS,
        "passing": PASSING,
        "other": OTHERS,
    }.items()
    for name, answer in rows.items()
}
IN_ANSWER: Final = {
    "Anthropic": Answer(529, {"type": "overloaded_error", "message": "x"}, ProviderOverloaded),
    "Anthropic's request": Answer(
        400, {"type": "invalid_request_error", "message": "x"}, RequestRefused
    ),
    "Gemini": Answer(503, {"code": 503, "status": "UNAVAILABLE"}, ProviderOverloaded),
    "OpenAI, Responses": Answer(
        429, {"code": "rate_limit_exceeded", "message": "x"}, ProviderRateLimited
    ),
    "OpenRouter": Answer(502, {"code": 502, "message": "x"}, ProviderOverloaded),
    "vLLM": Answer(400, {"code": 400, "type": "BadRequestError"}, RequestRefused),
    "Ollama": Answer(0, "model runner has unexpectedly stopped", ProviderOverloaded),
    "LM Studio's 200": Answer(0, "Unexpected endpoint or method. (POST /x)", EndpointNotFound),
    "RunPod's 200": Answer(
        404, {"code": 404, "message": "The model `m` does not exist."}, ModelNotFound
    ),
    "llama.cpp": Answer(
        400, {"code": 400, "type": "exceed_context_size_error", "n_ctx": 512}, ContextTooLong
    ),
    "LiteLLM's proxy": Answer(429, {"code": "429", "message": "x"}, ProviderRateLimited),
    "nothing": Answer(0, None, ProviderOverloaded),
}


def _text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body)


@pytest.mark.parametrize("name", HTTP)
def test_answer_is_the_error_that_its_maker_means(name: str) -> None:
    """By its status, and by what the maker's own words say beside it."""
    status, body, expected = HTTP[name]
    assert type(failure_of_answer(status, _text(body), reference())) is expected


@pytest.mark.parametrize("name", IN_ANSWER)
def test_error_inside_an_answer_is_the_error_that_its_maker_means(name: str) -> None:
    """Its code or type stands for a status; an error without one is the server's own failure."""
    _, body, expected = IN_ANSWER[name]
    event = {"type": "response.failed", "response": {"error": body}}
    assert type(failure_in_document(event, reference())) is expected


@pytest.mark.parametrize("name", WINDOWS)
def test_context_window_is_read_from_the_refusal(name: str) -> None:
    """Whoever fits a prompt learns the size from it."""
    body, window = WINDOWS[name]
    error = failure_of_answer(400, _text(body), reference())
    assert isinstance(error, ContextTooLong)
    assert error.context_window == window


_PLANTED: Final = "insufficient_quota: api key not valid, model not found, maximum context length"
_COMPLAINT: Final = {"type": "extra_forbidden", "loc": ("body", "x"), "msg": "Extra inputs"}


@pytest.mark.parametrize(
    "body",
    [
        {"detail": [{**_COMPLAINT, "input": _PLANTED}]},
        {"message": str([{**_COMPLAINT, "input": None}, {**_COMPLAINT, "input": [_PLANTED]}])},
        _error(f"1 validation error: Extra inputs [type=extra_forbidden, input_value={_PLANTED}]"),
    ],
    ids=["FastAPI", "vLLM", "Pydantic"],
)
def test_a_repeated_request_is_no_mark(body: object) -> None:
    """A server that validates requests quotes them: an alert could choose the error otherwise."""
    assert type(failure_of_answer(400, _text(body), reference())) is RequestRefused


@pytest.mark.parametrize(
    "body",
    [
        "[" * 60_000,
        "{" * 60_000,
        '{"error":' * 9_000 + "1" + "}" * 9_000,
        "\x00",
        '{"error": [[[]]]}',
    ],
    ids=["deep lists", "open objects", "deep objects", "no text", "empty lists"],
)
def test_error_of_any_shape_is_read_by_its_status(body: str) -> None:
    """Its text can't break the reading."""
    assert type(failure_of_answer(500, body, reference())) is ProviderOverloaded


def test_wide_error_is_read_in_part() -> None:
    """Thousands of messages cost no more than a few hundred."""
    body = json.dumps({"errors": [{"message": "x"}] * 8_000 + [{"message": "model not found"}]})
    assert type(failure_of_answer(404, body, reference())) is EndpointNotFound


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_detail_of_a_passing_failure_names_the_status(status: int) -> None:
    """An operator finds it in the vendor's list."""
    error = failure_of_answer(status, "", reference())
    assert f"({status})" in error.detail
    assert error.retryable


def test_detail_of_a_missing_endpoint_names_the_url_and_what_to_change() -> None:
    """Without the query, and with the ending that isn't part of a base URL."""
    called = f"{reference().base_url}/chat/completions"
    detail = failure_of_answer(404, "", reference(), url=f"{called}?alt=sse").detail
    assert f"nothing at {called} (404)" in detail
    assert "The base URL is what comes before /chat/completions" in detail
