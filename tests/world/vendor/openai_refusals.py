"""How each vendor behind the Chat Completions format says no: status, type, code, sentence."""

from typing import Final, NamedTuple

from tests.world.vendor.faults import Refusal
from tests.world.vendor.http1 import Answer


class _Row(NamedTuple):
    status: int
    kind: str
    code: str | int | None
    message: str
    param: str | None = None


_QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, read the docs: "
    "https://platform.openai.com/docs/guides/error-codes/api-errors."
)
_OPENAI: Final = {
    Refusal.BAD_KEY: _Row(
        401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: ****."
    ),
    Refusal.FORBIDDEN: _Row(
        403,
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    Refusal.UNKNOWN_MODEL: _Row(
        404,
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    Refusal.RATE_LIMITED: _Row(
        429,
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1.",
    ),
    Refusal.QUOTA: _Row(429, "insufficient_quota", "insufficient_quota", _QUOTA),
    Refusal.UNPAID: _Row(
        429,
        "billing_not_active",
        "billing_not_active",
        "Your account is not active, please check your billing details on our website.",
    ),
    Refusal.BAD_REQUEST: _Row(400, "invalid_request_error", None, "The request is malformed."),
    Refusal.SERVER_ERROR: _Row(
        500, "server_error", None, "The server had an error while processing your request."
    ),
    Refusal.OVERLOADED: _Row(
        503, "server_error", None, "The engine is currently overloaded, please try again later."
    ),
}
_DEEPSEEK: Final = {
    Refusal.BAD_KEY: _Row(
        401,
        "authentication_error",
        "invalid_request_error",
        "Authentication Fails, Your api key: ****  is invalid",
    ),
    Refusal.UNKNOWN_MODEL: _Row(
        400, "invalid_request_error", "invalid_request_error", "Model Not Exist"
    ),
    Refusal.RATE_LIMITED: _Row(429, "unknown_error", "invalid_request_error", "Rate Limit Reached"),
    Refusal.QUOTA: _Row(402, "unknown_error", "invalid_request_error", "Insufficient Balance"),
    Refusal.UNPAID: _Row(402, "unknown_error", "invalid_request_error", "Insufficient Balance"),
    Refusal.BAD_REQUEST: _Row(
        400, "invalid_request_error", "invalid_request_error", "The request is malformed."
    ),
    Refusal.OVERLOADED: _Row(503, "server_error", None, "Server Overloaded"),
}
_VLLM: Final = {
    Refusal.UNKNOWN_MODEL: _Row(
        404, "NotFoundError", 404, "The model `{model}` does not exist.", "model"
    ),
    Refusal.BAD_REQUEST: _Row(400, "BadRequestError", 400, "The request is malformed."),
    Refusal.SERVER_ERROR: _Row(500, "InternalServerError", 500, "EngineCore encountered an issue."),
}
_OLLAMA: Final = {
    Refusal.UNKNOWN_MODEL: _Row(404, "not_found_error", None, "model '{model}' not found"),
    Refusal.SERVER_ERROR: _Row(500, "api_error", None, "llama runner process has terminated"),
}
_ROWS: Final = {
    "openai": _OPENAI,
    "deepseek": _OPENAI | _DEEPSEEK,
    "vllm": _OPENAI | _VLLM,
    "ollama": _OPENAI | _OLLAMA,
}


def refusal_answer(vendor: str, refusal: Refusal, model: str, note: str) -> Answer:
    """Return the vendor's error answer; `note` replaces the sentence where it isn't empty."""
    if vendor == "vllm" and refusal is Refusal.BAD_KEY and not note:
        return Answer.of({"error": "Unauthorized"}, 401)
    row = _ROWS[vendor][refusal]
    error = {
        "message": note or row.message.format(model=model),
        "type": row.kind,
        "param": row.param,
        "code": row.code,
    }
    return Answer.of({"error": error}, row.status)
