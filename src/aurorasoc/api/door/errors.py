"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

The codes are ours, the types OpenAI's. Its SDKs retry by status, unless `x-should-retry` says no.
"""

from __future__ import annotations

import json
import re
from http.client import responses
from typing import Any, Final

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aurorasoc.api.door.headers import ATTEMPTS, shown_attempts
from aurorasoc.api.problems import NO_JSON, UNREADABLE, wrong_fields
from aurorasoc.core.inbound.refusals import Foreign, Refused, headers_of
from aurorasoc.errors import (
    AuroraError,
    Conflict,
    ImageNotTaken,
    InvalidInput,
    ModelCallError,
    NotFound,
    RequestRefused,
)

_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_SERVERS: Final = 500
_INVALID: Final = 400
_BODY: Final = "body"
_CHOSEN: Final = re.compile(
    r"\.(?:constrained-str|NamedTool)\b"
    r"|(?<=\d)\.(?:system|developer|user|assistant|tool|text|image_url|refusal)(?=\.)"
    r"|(?<=^response_format)\.(?:text|json_object|json_schema)(?=\.)"
)
"""The names of a union's members, which pydantic puts into the way to a field."""

_LONGEST_WAIT: Final = 60.0
"""Seconds that all of OpenAI's SDKs wait; older ones take longer for half a second."""

_HEADER: Final = "header."
_PATHS: Final = "There is no such path. The door has /v1/chat/completions and /v1/models."


class UnknownModel(NotFound):
    """There is no model of that name."""

    code = "model_not_found"
    title = "Unknown model"


class WrongField(InvalidInput):
    """A field is wrong.

    Args:
        detail: What is wrong, and never the value.
        param: The field.
    """

    def __init__(self, detail: str, param: str) -> None:
        super().__init__(detail)
        self.param = param


class InvalidForModel(AuroraError):
    """The provider says that what the caller sent isn't valid.

    Args:
        failure: How it says so.
    """

    status_code = _INVALID
    code = RequestRefused.code
    title = "The provider calls the request invalid"

    def __init__(self, failure: RequestRefused) -> None:
        named = f" It names {failure.field}." if failure.field else ""
        super().__init__(f"{failure.detail}{named}")
        self.param = failure.field
        self.attempts = failure.attempts


def document_of(error: AuroraError) -> dict[str, Any]:
    """Return an error in OpenAI's shape."""
    shown: dict[str, Any] = {
        "message": error.detail,
        "type": _type_of(status_of(error)),
        "param": _param_of(error),
        "code": error.code,
    }
    category = getattr(error, "category", None)
    if category is not None:
        shown["category"] = category
    return {"error": shown}


def status_of(error: AuroraError) -> int:
    """Return an error's status: OpenAI answers 400 to what isn't valid."""
    return _INVALID if isinstance(error, InvalidInput) else error.status_code


def error_response(error: AuroraError, *, unread: bool = False) -> Response:
    """Answer with an error.

    Args:
        error: What it is.
        unread: Whether the request's body is still on its way.
    """
    status, document = status_of(error), document_of(error)
    if unread:
        foreign: Foreign = (status, document)
        return Refused(error, foreign)
    return JSONResponse(document, status_code=status, headers=error_headers(error))


def error_headers(error: AuroraError) -> dict[str, str]:
    """Return when to ask again, if at all, and everyone who was asked."""
    headers = headers_of(error)
    if _is_final(error):
        headers["x-should-retry"] = "false"
    if isinstance(error, ModelCallError | InvalidForModel) and error.attempts:
        headers[ATTEMPTS] = shown_attempts(error.attempts)
    return headers


def invalid_response(error: RequestValidationError, body: Any) -> Response:  # noqa: ANN401 - any annotation
    """Answer to wrong fields: each is named, and no value is repeated."""
    fields = [(_param(each["field"]), each["message"]) for each in wrong_fields(error, body)]
    details = dict.fromkeys(f"{name}: {message}" if name else message for name, message in fields)
    first = fields[0][0]
    param = max((name for name, _ in fields if name.startswith(first)), key=len)
    return error_response(WrongField("; ".join(details), param or _BODY))


def http_response(error: HTTPException) -> Response:
    """Answer with a refusal by the framework or by a host's dependency."""
    if error.detail == UNREADABLE:
        return error_response(WrongField(NO_JSON, _BODY))
    title = responses.get(error.status_code, "Refused")
    detail: object = error.detail  # FastAPI's own HTTPException takes anything
    shown = {
        "message": detail if isinstance(detail, str) else title,
        "type": _type_of(error.status_code),
        "param": None,
        "code": f"http_{error.status_code}",
    }
    return JSONResponse({"error": shown}, status_code=error.status_code, headers=error.headers)


def no_route_response(error: HTTPException) -> Response:
    """Answer to a path or a method that the door doesn't have; neither is repeated."""
    taken = (error.headers or {}).get("Allow")
    detail = f"This path takes {taken}." if taken else _PATHS
    return http_response(HTTPException(error.status_code, detail, error.headers))


def error_event(error: AuroraError) -> str:
    """Return the event with which a stream breaks off."""
    return f"data: {json.dumps(document_of(error))}\n\n"


def _param_of(error: AuroraError) -> str | None:
    """Return the field that an error is about."""
    if isinstance(error, WrongField | InvalidForModel):
        return error.param
    if isinstance(error, ImageNotTaken):
        return "messages"
    return "model" if isinstance(error, UnknownModel) else None


def _param(field: str) -> str:
    """Return a field's path as the body has it, or a header's name, without pydantic's choices."""
    if field.startswith(_HEADER):
        return field.removeprefix(_HEADER).partition(".")[0]
    return "" if field == _BODY else _CHOSEN.sub("", field.removeprefix(f"{_BODY}."))


def _type_of(status: int) -> str:
    if status >= _SERVERS:
        return "server_error"
    return _TYPES.get(status, "invalid_request_error")


def _is_final(error: AuroraError) -> bool:
    """Whether a client that retries by status would only repeat the failure."""
    if (error.retry_after or 0) > _LONGEST_WAIT:
        return True
    if isinstance(error, ModelCallError):
        return not error.retryable
    return isinstance(error, Conflict | InvalidForModel)
