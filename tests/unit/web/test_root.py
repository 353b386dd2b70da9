"""What `/` answers: the way to the settings page, in our own app alone."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from aurorasoc.api.app import create_app
from aurorasoc.web import SETTINGS_PAGE
from aurorasoc.web.settings_page import include_settings_page
from tests.examples import settings


async def root_of(app: FastAPI, base_url: str) -> httpx.Response:
    """Ask an app for `/`, without starting it."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        return await client.get("/")


@pytest.mark.parametrize("below", ["", "/soc"])
async def test_the_root_leads_to_the_settings_page(tmp_path: Path, below: str) -> None:
    """Also where a proxy serves the app below a path, which the app needn't know."""
    answer = await root_of(create_app(settings(tmp_path)), "http://127.0.0.1")
    assert answer.status_code == 307
    seen = httpx.URL(f"http://127.0.0.1{below}/").join(answer.headers["Location"])
    assert seen.path == f"{below}{SETTINGS_PAGE}"


async def test_a_hosts_root_is_its_own() -> None:
    """Including the page adds no `/` to a host platform's app."""
    app = FastAPI()
    include_settings_page(app)
    assert (await root_of(app, "http://host")).status_code == 404
