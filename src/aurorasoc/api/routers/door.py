"""OpenAI's protocol, at the root: what other programs call where they would call OpenAI."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aurorasoc.api.clients_auth import caller_of_door
from aurorasoc.api.deps import CALLER, DoorCaller, OpenRuntime, bearer_of
from aurorasoc.api.door import asking, described, errors, shapes
from aurorasoc.api.door.body import CompletionBody
from aurorasoc.api.door.headers import headers_of
from aurorasoc.api.door.label import LabelHeader, label_for
from aurorasoc.api.door.streaming import streamed
from aurorasoc.api.problems import ProblemRoute
from aurorasoc.core.access.client_secrets import is_client_secret
from aurorasoc.core.inbound.bodies import MIB
from aurorasoc.core.inbound.hang_up import until_hang_up
from aurorasoc.errors import AuroraError, RequestRefused, TlpRefused
from aurorasoc.runtime import current_runtime
from aurorasoc.workflows import completion

StreamHeader = Annotated[
    Literal["checked"] | None,
    Header(
        alias="x-aurora-stream",
        description="`checked`: hold a stream back until its answer is whole, so that a fallback "
        "can answer for a connection that breaks off.",
    ),
]


class DoorRoute(ProblemRoute):
    """Turns every error into OpenAI's shape; accepts as much text as the models' contexts hold."""

    max_body = 4 * MIB

    async def authenticate(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Take a machine client's secret beside what all other calls take.

        Raises:
            Unauthenticated: There is no token and no secret, or it doesn't hold.
        """
        bearer = await bearer_of(request)
        if bearer is None or not is_client_secret(bearer):
            return await super().authenticate(request)
        request.scope[CALLER] = caller_of_door(bearer, current_runtime())
        return []

    def problem(self, error: AuroraError, *, unread: bool = False) -> Response:
        """Return the answer to a refused request."""
        return errors.error_response(error, unread=unread)

    def invalid(self, error: RequestValidationError, body: Any) -> Response:  # noqa: ANN401 - any annotation
        """Return the answer to a request whose fields are wrong."""
        return errors.invalid_response(error, body)

    def refused_by_host(self, error: HTTPException) -> Response:
        """Return the answer to a request that the framework or a host's dependency refused."""
        return errors.http_response(error)


router = APIRouter(prefix="/v1", tags=["door"], route_class=DoorRoute)

_ERRORS: Final = described.documented(400, 401, 403, 503)


@router.get("/models", response_model=described.ModelList, responses=_ERRORS)
async def list_models(caller: DoorCaller, runtime: OpenRuntime) -> dict[str, Any]:
    """List the names that `model` takes: roles, and agents."""
    del caller
    names = asking.models(runtime.adoption.snapshot.assignments)
    return {"object": "list", "data": [shapes.model(name) for name in names]}


@router.get(
    "/models/{model}",
    response_model=described.Model,
    responses=_ERRORS | described.documented(404),
)
async def get_model(model: str, caller: DoorCaller, runtime: OpenRuntime) -> dict[str, Any]:
    """Return one of these names."""
    del caller
    asking.who(model, runtime.adoption.snapshot.assignments)
    return shapes.model(model)


@router.post(
    "/chat/completions",
    response_model=described.Completion,
    responses={
        200: {"content": described.STREAMED},
        **_ERRORS,
        **described.documented(404, 408, 409, 413, 422, 429, 502, 504),
    },
)
async def complete(  # noqa: PLR0913, PLR0917 - FastAPI fills them in
    body: CompletionBody,
    caller: DoorCaller,
    runtime: OpenRuntime,
    request: Request,
    tlp: LabelHeader = None,
    stream: StreamHeader = None,
) -> Response:
    """Complete a conversation, as OpenAI's call of that name does.

    Headers say who answered: `x-aurora-connection`, `x-aurora-revision`, `x-aurora-attempts`
    where more than one was asked, and `x-aurora-left-out` where something of the request didn't
    reach the model.
    """
    label: str | None = tlp[0] if tlp else None

    async def refused() -> None:
        await runtime.denials.record_label(caller.subject, "door", label)

    try:
        label = label_for(caller, tlp)
        role, agent = asking.who(body.model, runtime.adoption.snapshot.assignments)
        bound = await completion.begin(asking.asked(body), role=role, agent=agent, tlp=label)
        if body.stream:
            checked = stream is not None
            return await streamed(body, bound, caller, request, refused, checked=checked)
        answer = await until_hang_up(request.receive, bound.whole(), caller.expires_at)
    except TlpRefused:
        await refused()
        raise
    except RequestRefused as error:
        raise asking.caused(error, body) from None
    left_out = asking.left_out(body, answer.answering.left_out)
    headers = headers_of(answer.answering, left_out)
    return JSONResponse(shapes.completion(answer), headers=headers)
