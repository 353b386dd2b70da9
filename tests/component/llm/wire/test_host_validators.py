"""A host's class for structured answers is the host's code: nothing confines it."""

import json
import os
import socket
from typing import Any, ClassVar

import pytest
from beeai_framework.backend.message import UserMessage
from pydantic import BaseModel, field_validator

from aurorasoc import get_chat_model
from aurorasoc.errors import BadResponse
from aurorasoc.runtime import Runtime
from tests.component.live import World
from tests.world.capture import CaptureServer
from tests.world.vendor import Fault


class Checked(BaseModel):
    """An answer whose validator asks another system, and reads its own variable."""

    verdict: str
    seen: ClassVar[list[str | None]] = []
    port: ClassVar[int] = 0
    fails: ClassVar[bool] = False

    @field_validator("verdict")
    @classmethod
    def _known_elsewhere(cls, value: str) -> str:
        with socket.create_connection(("127.0.0.1", cls.port), timeout=60):
            cls.seen.append(os.environ.get("HOSTS_OWN"))
        if cls.fails:
            message = "CANARY"
            raise ValueError(message)
        return value


@pytest.mark.parametrize("stream", [False, True])
async def test_validator_of_a_host_uses_the_network(
    runtime: Runtime,
    capture: CaptureServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stream: bool,
) -> None:
    """Whole and streamed; a value that it refuses is a bad answer, in our words."""
    del runtime
    monkeypatch.setenv("HOSTS_OWN", "yes")
    monkeypatch.setattr(Checked, "port", capture.port)
    Checked.seen.clear()
    run = get_chat_model().run([UserMessage("ping")], response_format=Checked, stream=stream)
    output: Any = await run
    assert isinstance(output.output_structured, Checked)
    assert set(Checked.seen) == {"yes"}
    monkeypatch.setattr(Checked, "fails", True)
    with pytest.raises(BadResponse) as refused:
        await get_chat_model().run([UserMessage("ping")], response_format=Checked, stream=stream)
    assert "CANARY" not in repr(refused.value.__cause__) + str(refused.value)


async def test_half_a_surrogate_pair_in_a_structured_answer_is_replaced(
    runtime: Runtime, world: World
) -> None:
    """It stands in JSON inside the answer's text, which is parsed a second time."""
    del runtime
    inner = json.dumps(r'{"verdict": "a\ud800b"}')
    message = f'{{"role": "assistant", "content": {inner}}}'
    choice = f'{{"index": 0, "finish_reason": "stop", "message": {message}}}'
    head = '{"id": "1", "object": "chat.completion", "created": 1, "model": "m", '
    body = f'{head}"choices": [{choice}]}}'
    world.keyed.faults.set(Fault(status=200, body=body.encode()))
    schema = {"type": "object", "properties": {"verdict": {"type": "string"}}}
    output: Any = await get_chat_model().run([UserMessage("ping")], response_format=schema)
    assert output.output_structured == {"verdict": "a\N{REPLACEMENT CHARACTER}b"}
