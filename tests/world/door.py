"""The door on loopback, for clients that nobody here wrote: the whole app, in its own thread."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import httpx
import uvicorn

from aurorasoc.api.app import create_app
from aurorasoc.config.settings import Settings
from tests.examples import JWT_SECRET
from tests.world import patient
from tests.world.loopback import LOOPBACK
from tests.world.processes import free_port
from tests.world.service import bearer, token

_STARTS_IN: Final = 60.0
COMPLETIONS: Final = "/chat/completions"


@dataclass(frozen=True)
class Door:
    """An open door: its base URL as OpenAI's clients take it, and a key that opens it."""

    url: str
    key: str

    def client(self, key: str | None = None, **headers: str) -> httpx.Client:
        """Return a plain HTTP client."""
        sent = {**bearer(key or self.key), **headers}
        return patient.client(base_url=self.url, headers=sent)

    def ask(self, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """Ask for a completion: of `specialist`, with one message, unless fields say otherwise."""
        body = {"model": "specialist", "messages": [{"role": "user", "content": "ping"}]}
        with self.client(**headers or {}) as http:
            return http.post(COMPLETIONS, json=body | fields)


@contextmanager
def served(settings: Settings) -> Iterator[Door]:
    """Serve the whole app; its state folder holds a migrated database."""
    port = free_port()
    config = uvicorn.Config(
        create_app(settings), host=LOOPBACK, port=port, ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # pytest's stay pytest's
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    try:
        while not server.started:
            serving.join(0.01)
            assert serving.is_alive()
        key = token("analyst", subject="alice", secret=JWT_SECRET)
        yield Door(f"http://{LOOPBACK}:{port}/v1", key)
    finally:
        server.should_exit = True
        serving.join(_STARTS_IN)


def chunks(text: str) -> list[Any]:
    """Read a whole stream: its documents, and `[DONE]`."""
    lines = [line for line in text.split("\n\n") if line and not line.startswith(":")]
    said = [line.removeprefix("data: ") for line in lines]
    return [one if one == "[DONE]" else json.loads(one) for one in said]


def said(documents: list[Any]) -> str:
    """Return the text of a stream's chunks."""
    choices = [one["choices"][0] for one in documents if one != "[DONE]" and one.get("choices")]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
