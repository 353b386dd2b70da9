"""An image at the door goes to no model that is known to take none: not a byte leaves."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.component.open_door import error_of
from tests.examples import API_KEY, settings
from tests.world.databases import DATABASES, SQLITE
from tests.world.door import Door, served
from tests.world.model_table import without_images

PIXEL: Final = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def blind(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Serve the app on a vendor's model without eyes, at the vendor's own address."""
    del libraries
    state: Path = tmp_path_factory.mktemp("door")
    with DATABASES.of_kind(SQLITE):
        DATABASES.migrated(state)
    variables = {
        "LLM_BACKEND": "deepseek",
        "LLM_DEEPSEEK_MODEL": without_images("deepseek"),
        "LLM_DEEPSEEK_API_KEY": API_KEY,
    }
    with served(settings(state, **variables)) as door:
        yield door


@pytest.mark.parametrize("streams", [False, True])
def test_an_image_is_refused_by_name(
    blind: Door, monkeypatch: pytest.MonkeyPatch, *, streams: bool
) -> None:
    """Nobody looks the vendor's host up."""
    looked_up: list[Any] = []
    resolve = socket.getaddrinfo

    def noting(host: Any, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as the original
        looked_up.append(host)
        return resolve("127.0.0.1" if host == "api.deepseek.com" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", noting)
    part = {"type": "image_url", "image_url": {"url": PIXEL}}
    response = blind.ask(messages=[{"role": "user", "content": [part]}], stream=streams)
    error = error_of(response)
    assert (response.status_code, error["code"]) == (400, "invalid_input"), response.text
    assert (error["param"], "takes no images" in error["message"]) == ("messages", True)
    assert "api.deepseek.com" not in looked_up
