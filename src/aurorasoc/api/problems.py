"""Errors as RFC 9457 problem documents, made inside the route.

A host platform includes our routers in its own app, so secrecy must not depend on app-level
handlers or middleware (docs/decisions/027).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict
from functools import cache
from http.client import responses
from typing import Any, ClassVar, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from aurorasoc.api.bounds import authenticate, names_caller, with_bounded_body
from aurorasoc.api.misspelt import with_nearest
from aurorasoc.api.query import parameters_of, require_known
from aurorasoc.core.inbound.bodies import MAX_BODY, announces_body
from aurorasoc.core.inbound.hang_up import HungUp, unheard
from aurorasoc.core.inbound.refusals import PROBLEM_TYPE, Refused, document_of, headers_of
from aurorasoc.core.logs import get_logger
from aurorasoc.core.telemetry.requests import RequestSpans
from aurorasoc.errors import (
    DECLINED,
    Attempt,
    AuroraError,
    BodyTooLarge,
    BudgetExceeded,
    InvalidInput,
    ModelCallError,
    OutcomeUnknown,
    RequestTimeout,
    Unauthenticated,
)

API_PREFIX: Final = "/api/v1"
MEDIA_TYPE: Final = PROBLEM_TYPE

UNREADABLE: Final = "There was an error parsing the body"
"""FastAPI's text, with a bare 400, for a body that isn't text or is nested too deeply."""

NO_JSON: Final = "The body isn't JSON in UTF-8."

_UNREAD: Final = (Unauthenticated, RequestTimeout, BodyTooLarge)
"""Refusals that come before the whole body is read."""

_NAMED_BY_CALLER: Final = {"agents", "connections", "metadata", "roles"}
"""Fields whose own fields have the names that a caller gives them."""

log = get_logger("aurorasoc.api")


class InvalidField(BaseModel):
    """A wrong field, and why it is wrong; never its value."""

    field: str = Field(examples=["body.api_key"])
    message: str = Field(examples=["Field required"])


class AttemptView(BaseModel):
    """A connection that was asked for an answer, or passed over."""

    connection: str
    model: str | None = Field(description="The requested model; null if it has none.")
    code: str | None = Field(description="How it failed; null: it answered.")
    seconds: float = Field(description="How long it took; 0 if it was passed over.")


class ProblemDocument(BaseModel):
    """RFC 9457 §3, with a stable `code` to switch on."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(examples=["No model configured"])
    status: int = Field(examples=[409])
    code: str = Field(examples=["no_model_configured"])
    detail: str = Field(
        examples=[
            (
                "No model configured for deepseek. Set the specialist model in Settings or the "
                "LLM_DEEPSEEK_MODEL env var before testing."
            )
        ]
    )
    errors: list[InvalidField] | None = None
    operation_id: str | None = None
    category: str | None = Field(
        None, description="Why a model or its filter declined, in the vendor's words."
    )
    resets_at: str | None = Field(None, description="When a hard budget begins anew.")
    attempts: list[AttemptView] | None = Field(
        None, description="Everyone who was asked, in order, where that was more than one."
    )


class ProblemResponse(JSONResponse):
    """A problem document's media type."""

    media_type = MEDIA_TYPE


class ProblemRoute(APIRoute):
    """Turns every error into a problem document before any handler of the app sees it.

    The caller is authenticated, the body is bounded, and the query's parameters are known before
    the body is parsed.
    """

    max_body: ClassVar[int] = MAX_BODY
    """The largest accepted body, in bytes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's own handler, dependencies and validation included."""
        handler = super().get_route_handler()
        needs_caller = names_caller(self.dependant)
        parameters = parameters_of(self.dependant)
        body = self.body_field and self.body_field.field_info.annotation

        async def handle(request: Request) -> Response:
            try:
                headers = await self.authenticate(request) if needs_caller else []
                if self.body_field is not None:
                    request = await with_bounded_body(request, self.max_body)
                if needs_caller:
                    require_known(request, parameters)
                return _with_headers(await handler(request), headers)
            except HungUp:
                return unheard()
            except AuroraError as error:
                return self._refused(error, request)
            except RequestValidationError as error:
                return self.invalid(error, body)
            except HTTPException as error:
                return self.refused_by_host(error)
            except Exception as error:  # noqa: BLE001 - nothing of it may reach the user
                failure = type(error).__name__
            log.error("unexpected error", error=failure, method=request.method, route=self.path)
            return self.problem(AuroraError("Internal error. See the service log."))

        return handle

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer within a span. Our own app has one around it already, and a host may, too."""
        answer: ASGIApp = super().handle
        if scope["method"] in (self.methods or ()):  # else it raises, which is no failure of ours
            answer = RequestSpans(answer, API_PREFIX, steps_back=True)
        await answer(scope, receive, send)

    async def authenticate(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Leave the caller where `Require` finds it; return what a host's dependency sets.

        Raises:
            Unauthenticated: There is no token, or it doesn't hold.
        """
        return await authenticate(request)

    def problem(self, error: AuroraError, *, unread: bool = False) -> Response:
        """Return the answer to a refused request.

        Args:
            error: Why it is refused.
            unread: Whether its body is still on its way.
        """
        return Refused(error) if unread else problem_response(error)

    def invalid(self, error: RequestValidationError, body: Any) -> Response:  # noqa: ANN401 - any annotation
        """Return the answer to a request whose fields are wrong."""
        return invalid_response(error, body)

    def refused_by_host(self, error: HTTPException) -> Response:
        """Return the answer to a request that the framework or a host's dependency refused."""
        return http_response(error)

    def _refused(self, error: AuroraError, request: Request) -> Response:
        if isinstance(error, Unauthenticated):  # in the log only: the caller is unknown
            log.warning(
                "unauthenticated", method=request.method, route=self.path, reason=error.reason
            )
        unread = isinstance(error, _UNREAD) and announces_body(request.scope["headers"])
        return self.problem(error, unread=unread)


def _with_headers(response: Response, headers: list[tuple[bytes, bytes]]) -> Response:
    response.headers.raw.extend(headers)
    return response


def problem_of(error: AuroraError) -> dict[str, Any]:
    """Return an error's problem document."""
    document = document_of(error)
    if isinstance(error, OutcomeUnknown):
        document["operation_id"] = error.operation_id
    if isinstance(error, DECLINED):
        document["category"] = error.category
    if isinstance(error, BudgetExceeded):
        document["resets_at"] = error.resets_at
    if isinstance(error, ModelCallError) and error.attempts:
        document["attempts"] = shown_attempts(error.attempts)
    return document


def shown_attempts(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return who was asked, as `AttemptView` describes it."""
    return [asdict(attempt) for attempt in attempts]


def problem_response(error: AuroraError) -> ProblemResponse:
    """Answer with an error."""
    document, headers = problem_of(error), headers_of(error)
    return ProblemResponse(document, status_code=error.status_code, headers=headers)


def invalid_response(
    error: RequestValidationError,
    body: Any = None,  # noqa: ANN401 - any annotation
) -> ProblemResponse:
    """Answer with a 422 that names the fields and repeats nothing of what was sent.

    Args:
        error: What is wrong with the request.
        body: The annotation of the body that the call takes.
    """
    fields = wrong_fields(error, body)
    places = ", ".join(dict.fromkeys(f["field"] for f in fields))
    document = problem_of(InvalidInput(f"The request isn't valid: {places}."))
    return ProblemResponse(document | {"errors": fields}, status_code=InvalidInput.status_code)


def wrong_fields(
    error: RequestValidationError,
    body: Any = None,  # noqa: ANN401 - any annotation
) -> list[dict[str, str]]:
    """Return which fields are wrong and why, as `InvalidField` describes it.

    Args:
        error: What is wrong with the request.
        body: The annotation of the body that the call takes.
    """
    issues = with_nearest(error.errors(), body)
    return [{"field": _place(issue), "message": _message(issue)} for issue in issues]


def _message(issue: dict[str, Any]) -> str:
    """Return what is wrong with a field; where a text stops being JSON, counted from 1."""
    if issue["type"] == "json_invalid":
        return f"not JSON: see character {issue['loc'][-1] + 1}"
    if issue["type"] == "union_tag_invalid":  # pydantic's own text repeats the tag that was sent
        return f"{issue['ctx']['discriminator']} should be one of {issue['ctx']['expected_tags']}"
    if issue["type"] == "model_attributes_type":  # also any text, where another type was announced
        return "must be a JSON object, sent with Content-Type: application/json"
    if issue["type"] == "tuple_type":
        return "Input should be a valid list"  # JSON has no tuples
    return str(issue["msg"]).removeprefix("Value error, ")


def http_response(error: HTTPException) -> ProblemResponse:
    """Answer with a refusal by the framework or by a host's dependency."""
    if error.detail == UNREADABLE:
        return problem_response(InvalidInput(NO_JSON))
    title = responses.get(error.status_code, "Refused")
    detail: object = error.detail  # FastAPI's own HTTPException takes anything
    document = {
        "type": "about:blank",
        "title": title,
        "status": error.status_code,
        "code": f"http_{error.status_code}",
        "detail": detail if isinstance(detail, str) else title,
    }
    return ProblemResponse(document, status_code=error.status_code, headers=error.headers)


def _place(issue: dict[str, Any]) -> str:
    """Return the path of a wrong field.

    Neither an unknown field is named nor what the caller names: that is input, too, and may be a
    key that was entered in the wrong place.
    """
    if issue["type"] == "json_invalid":
        return "body"
    parts = [str(part) for part in issue["loc"]]
    for at, part in enumerate(parts[:-1]):
        if part in _NAMED_BY_CALLER:
            parts[at + 1] = "(name)"
    if issue["type"] == "extra_forbidden":
        parts[-1] = "(unknown field)"
    parts = [part for part in parts if "[" not in part]  # pydantic's names of a union's members
    return ".".join(parts)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's description of a route's problems, under their one media type.

    FastAPI's own `model` would also announce them as `application/json`.
    """
    problem = {"content": {MEDIA_TYPE: {"schema": _schema()}}, "description": "Problem"}
    return dict.fromkeys(statuses, problem)


@cache
def _schema() -> dict[str, Any]:
    """Return the document's JSON Schema without `$defs`, which would not resolve in OpenAPI."""
    schema = ProblemDocument.model_json_schema()
    definitions = schema.pop("$defs")
    for name, items in (("errors", InvalidField), ("attempts", AttemptView)):
        schema["properties"][name]["anyOf"][0]["items"] = definitions[items.__name__]
    return schema
