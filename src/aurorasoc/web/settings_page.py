"""The routes of the settings page, and its security headers."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from aurorasoc.web import SETTINGS_PAGE
from aurorasoc.web.assets import Assets, load_assets

_RULES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
_GUARDED: Final = {
    "Content-Security-Policy": "; ".join(_RULES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_NEVER_KEPT: Final = {"Cache-Control": "no-store"}
_KEPT_FOR_GOOD: Final = {"Cache-Control": "public, max-age=31536000, immutable"}

PageAssets = Annotated[Assets, Depends(load_assets)]


def include_settings_page(app: FastAPI, *, token_url: str | None = None) -> None:
    """Serve the settings page at `/settings/llm`, beside the routers that it calls.

    Args:
        app: Ours, or a host platform's that has called `include_routers`.
        token_url: Where the page fetches its bearer token with the host's own session: a path on
            the same origin that answers `{"token": "…"}`, or 204 if the session's cookie is
            enough for the `principal` dependency. None makes the page ask for a token.

    Raises:
        ValueError: `token_url` isn't a path on the same origin.
    """
    if token_url is not None and not _is_local(token_url):
        message = "token_url takes a path on the page's own origin, such as /session/token"
        raise ValueError(message)
    app.include_router(_router(token_url))


def lead_to_settings_page(app: FastAPI) -> None:
    """Lead from `/` to the page. For our own app alone: a host platform has a `/` of its own."""

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        """Redirect. The address is relative, so a proxy may serve the app below a path."""
        return RedirectResponse(SETTINGS_PAGE.removeprefix("/"), headers=_NEVER_KEPT)


def _router(token_url: str | None) -> APIRouter:
    router = APIRouter(prefix=SETTINGS_PAGE, include_in_schema=False)

    @router.get("", response_class=HTMLResponse)
    def page(assets: PageAssets) -> HTMLResponse:
        """Return the document. It holds no data, which the page reads from the REST API."""
        document = Template(assets.document).substitute(
            assets=f"llm/assets/{assets.version}", token_url=escape(token_url or "")
        )
        return HTMLResponse(document, headers=_GUARDED | _NEVER_KEPT)

    @router.get("/assets/{version}/{name}", response_class=Response)
    def asset(assets: PageAssets, version: str, name: str) -> Response:
        """Return one of the page's files, if the version is current."""
        file = assets.files.get(name)
        if file is None or version != assets.version:
            raise HTTPException(404, "There is no such file in this version of the page.")
        headers = _GUARDED | _KEPT_FOR_GOOD
        return Response(file.content, media_type=file.media_type, headers=headers)

    return router


def _is_local(address: str) -> bool:
    """Whether every browser reads it as a path: `//host` and a backslash lead elsewhere."""
    return address.startswith("/") and not address.startswith("//") and "\\" not in address
