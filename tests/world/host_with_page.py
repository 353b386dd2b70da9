"""A host platform with a session of its own, which signs its users in on the settings page.

`python -m uvicorn --factory tests.world.host_with_page:create_host` runs it. `HOST_HANDS_OVER`
says how: `token`, or `nothing`, where the session's cookie itself names the caller.
"""

import os
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Cookie, FastAPI, Response
from fastapi.responses import JSONResponse, RedirectResponse

from aurorasoc import include_routers, include_settings_page
from aurorasoc.config.settings import load_settings
from aurorasoc.core.access.principal import Principal
from aurorasoc.core.access.tokens import create_token
from aurorasoc.errors import Unauthenticated

LIFETIME: Final = timedelta(minutes=5)
"""Of a token that is handed over."""

Session = Annotated[str | None, Cookie()]


def create_host() -> FastAPI:
    """Return the host's app; who goes to `/login` has a session."""
    app, settings = FastAPI(), load_settings(secrets_file=False)
    by_cookie = os.environ["HOST_HANDS_OVER"] == "nothing"

    @app.get("/login")
    async def login() -> RedirectResponse:
        answer = RedirectResponse("/settings/llm")
        answer.set_cookie("session", "alice", httponly=True, samesite="strict")
        return answer

    @app.get("/session/token")
    async def hand_over(session: Session = None) -> Response:
        if session is None:
            return Response(status_code=401)
        if by_cookie:
            return Response(status_code=204)
        signed = create_token(
            session, roles=["admin"], lifetime=LIFETIME, settings=settings.security
        )
        return JSONResponse({"token": signed}, headers={"Cache-Control": "no-store"})

    include_routers(app, principal=user_of_session if by_cookie else None, settings=settings)
    include_settings_page(app, token_url="/session/token")
    return app


async def user_of_session(session: Session = None) -> Principal:
    """Take the caller from the host's cookie."""
    if session is None:
        detail = "Sign in to the platform first."
        raise Unauthenticated(detail)
    return Principal.of(session, roles=["admin"])
