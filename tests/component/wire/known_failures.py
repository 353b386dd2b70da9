"""How the services of `known_addresses` fail: bodies that each documents, or that reports quote."""

from typing import Any, Final, NamedTuple

from tests.world.known_vendor import Said


class Failure(NamedTuple):
    """One failure.

    Attributes:
        service: Who answers so.
        answer: What it answers.
        code: What this is for our callers.
        holds: A part of our detail or, for `blocked`, the category.
    """

    service: str
    answer: Said
    code: str
    holds: str = ""


def _error(status: int, message: object, /, **more: Any) -> Said:
    return Said({"error": {"message": message, **more}}, status)


_AZURE_FILTER: Final = {
    "hate": {"filtered": True, "severity": "high"},
    "jailbreak": {"filtered": False, "detected": False},
}
NO_FIT: Final = (
    "Input does not fit in context length. The input has 31430 tokens, but the context length only "
    "supports 30000 tokens."
)
GENERATION: Final = {"type": "invalid_request_error", "failed_generation": '{"severity": '}
_PROXY_BUDGET: Final = "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0"

FAILURES: Final = {
    "Azure: a filter": Failure(
        "azure",
        _error(
            400,
            "The response was filtered due to the prompt triggering Azure OpenAI's content "
            "management policy.",
            code="content_filter",
            param="prompt",
            innererror={
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": _AZURE_FILTER,
            },
        ),
        "blocked",
        "hate",
    ),
    "Azure: a wrong key": Failure(
        "azure",
        _error(401, "Access denied due to invalid subscription key or wrong API endpoint."),
        "auth_failed",
    ),
    "Azure: no such deployment": Failure(
        "azure",
        _error(404, "The API deployment for this resource …", code="DeploymentNotFound"),
        "model_not_found",
    ),
    "Azure: a rate": Failure(
        "azure",
        _error(429, "Requests have exceeded token rate limit. Please retry after 6", code="429"),
        "rate_limited",
    ),
    "Bedrock: another root": Failure(
        "bedrock",
        _error(400, "model `xai.grok-4.3` isn't supported on this route", code="validation_error"),
        "endpoint_not_found",
        "/openai/v1/chat/completions",
    ),
    "Bedrock: another protocol": Failure(
        "bedrock",
        _error(
            400, "The model 'openai.gpt-5.6-terra' does not support the '/v1/chat/completions' API"
        ),
        "endpoint_not_found",
    ),
    "Bedrock: a rate": Failure(
        "bedrock",
        Said({"message": "Too many tokens, please wait before trying again."}, 429),
        "rate_limited",
    ),
    "Bedrock: no such model": Failure(
        "bedrock",
        Said({"message": "The provided model identifier is invalid."}, 400),
        "model_not_found",
    ),
    "Bedrock: a long prompt": Failure(
        "bedrock",
        Said({"message": "Input is too long for requested model."}, 400),
        "context_too_long",
    ),
    "Mistral: a wrong key": Failure(
        "mistral", Said({"message": "Unauthorized", "request_id": "r"}, 401), "auth_failed"
    ),
    "Mistral: no capacity": Failure(
        "mistral",
        Said(
            {
                "object": "error",
                "message": "Service tier capacity exceeded for this model.",
                "type": "service_tier_capacity_exceeded",
                "code": "3505",
            },
            429,
        ),
        "rate_limited",
    ),
    "Mistral: a wrong value": Failure(
        "mistral",
        Said(
            {
                "detail": [
                    {
                        "type": "less_than_equal",
                        "loc": ["body", "temperature"],
                        "msg": "Input should be less than or equal to 1.5",
                        "input": 2.0,
                    }
                ]
            },
            422,
        ),
        "bad_response",
        "refused the request",
    ),
    "Groq: JSON that fits no schema": Failure(
        "groq",
        _error(
            400,
            "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more "
            "details.",
            code="json_validate_failed",
            **GENERATION,
        ),
        "bad_response",
        "broke off",
    ),
    "Groq: a tool that isn't there": Failure(
        "groq",
        _error(400, "Failed to call a function.", code="tool_use_failed", **GENERATION),
        "bad_response",
        "broke off",
    ),
    "Groq: a long prompt": Failure(
        "groq",
        _error(413, "Request too large for model `m` on tokens per minute (TPM): Limit 8000"),
        "context_too_long",
    ),
    "Groq: no capacity": Failure("groq", _error(498, "Flex tier capacity exceeded"), "overloaded"),
    "OpenRouter: no credits": Failure(
        "openrouter", _error(402, "Insufficient credits", code=402), "quota_exceeded"
    ),
    "OpenRouter: a moderator": Failure(
        "openrouter",
        _error(
            403,
            'openai/m requires moderation on OpenAI. Your input was flagged for "violence".',
            code=403,
            metadata={"reasons": ["violence"], "flagged_input": "x", "provider_name": "OpenAI"},
        ),
        "blocked",
        "violence",
    ),
    "OpenRouter: options that no provider has": Failure(
        "openrouter",
        _error(404, "No endpoints found that support tool use.", code=404),
        "bad_response",
        "refused the request",
    ),
    "Together: another model": Failure(
        "together",
        _error(400, "Unable to access non-serverless model m.", code="model_not_available"),
        "model_not_found",
    ),
    "Together: no credit": Failure(
        "together", _error(402, "Credit limit exceeded", type="credit_limit"), "quota_exceeded"
    ),
    "Together: a long prompt": Failure(
        "together",
        _error(422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193."),
        "context_too_long",
    ),
    "LM Studio: no model": Failure(
        "lm-studio",
        Said({"error": "No models loaded. Please load a model."}, 400),
        "model_not_found",
    ),
    "LM Studio: another path": Failure(
        "lm-studio",
        Said({"error": "Unexpected endpoint or method. (POST /api/v1/chat/completions)"}),
        "endpoint_not_found",
    ),
    "LM Studio: a long prompt": Failure(
        "lm-studio",
        Said({"error": f"{NO_FIT} Error Data: n/a, Additional Data: n/a"}, 400),
        "context_too_long",
    ),
    "llama.cpp: a long prompt": Failure(
        "llama-cpp",
        _error(
            400,
            "the request exceeds the available context size",
            type="exceed_context_size_error",
            n_prompt_tokens=5584,
            n_ctx=4096,
        ),
        "context_too_long",
    ),
    "llama.cpp: still loading": Failure(
        "llama-cpp", _error(503, "Loading model", type="unavailable_error"), "overloaded"
    ),
    "llama.cpp: a wrong key": Failure(
        "llama-cpp", _error(401, "Invalid API Key", type="authentication_error"), "auth_failed"
    ),
    "LiteLLM: a budget": Failure(
        "litellm", _error(422, _PROXY_BUDGET, type="budget_exceeded", code="422"), "quota_exceeded"
    ),
    "LiteLLM: a budget, before 2026": Failure(
        "litellm", _error(400, _PROXY_BUDGET, type="budget_exceeded", code="400"), "quota_exceeded"
    ),
    "LiteLLM: a budget, with 429": Failure(
        "litellm", _error(429, _PROXY_BUDGET, type="budget_exceeded", code="429"), "quota_exceeded"
    ),
    "LiteLLM: no such model": Failure(
        "litellm",
        _error(
            400, {"error": "/chat/completions: Invalid model name passed in model=m"}, code="400"
        ),
        "model_not_found",
    ),
    "LiteLLM: no database": Failure(
        "litellm",
        _error(400, "No connected db.", type="no_db_connection", code="400"),
        "overloaded",
    ),
    "Hugging Face: nobody serves it": Failure(
        "hugging-face",
        _error(
            400,
            "The requested model 'a/m' is not supported by any provider you have enabled.",
            type="invalid_request_error",
            param="model",
            code="model_not_supported",
        ),
        "model_not_found",
    ),
    "Hugging Face: not by this company": Failure(
        "hugging-face",
        Said({"error": "Model not supported by provider together"}, 400),
        "model_not_found",
    ),
    "Hugging Face: no credits": Failure(
        "hugging-face",
        Said({"error": "You have exceeded your monthly included credits."}, 402),
        "quota_exceeded",
    ),
    "Hugging Face: a token without the permission": Failure(
        "hugging-face",
        Said({"error": "This authentication method does not have sufficient permissions"}, 403),
        "auth_failed",
    ),
    "Hugging Face: a wrong token": Failure(
        "hugging-face", Said({"error": "Invalid username or password."}, 401), "auth_failed"
    ),
}
"""Answers to a call, whole or streamed."""
