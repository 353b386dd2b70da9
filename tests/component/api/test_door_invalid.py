"""What a vendor calls invalid is the caller's 400 at the door, unless somebody else set it."""

import json
from typing import Any, Final

import openai
import pytest

from aurorasoc.core.inbound import quiet
from tests.component.in_line import InLine
from tests.component.open_door import door, error_of, line, opened, servers
from tests.world.door import Door, chunks
from tests.world.vendor import Fault

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

CANARY: Final = "canary-4711"


def _fault(message: str, param: str | None = None, **fields: Any) -> Fault:
    kind = "invalid_request_error"
    error = {"message": f"{message} {CANARY}", "type": kind, "param": param, "code": None}
    return Fault(status=400, body=json.dumps({"type": "error", "error": error}).encode(), **fields)


TOOL_SCHEMA: Final = _fault("Invalid schema for function 'f'", "tools[0].function.parameters")
BOUND: Final = _fault("max_tokens: 999999 > 8192, which is the maximum allowed")


@pytest.mark.parametrize("streams", [False, True])
def test_a_schema_that_a_vendor_calls_invalid_is_the_callers_mistake(
    door: Door, line: InLine, *, streams: bool
) -> None:
    """With the field, and nothing of what the vendor wrote; nobody else is asked."""
    line.first.faults.set(TOOL_SCHEMA)
    response = door.ask(stream=streams)
    error = error_of(response)
    assert response.status_code == 400, response.text
    assert (error["type"], error["code"]) == ("invalid_request_error", "bad_response")
    assert (error["param"], error["message"].endswith(" It names tools.")) == ("tools", True)
    assert response.headers["x-should-retry"] == "false"
    assert CANARY not in response.text
    assert line.asked == {"first": 1}


def test_openais_sdk_raises_what_it_raises_at_openais(door: Door, line: InLine) -> None:
    """And doesn't ask again."""
    line.first.faults.set(TOOL_SCHEMA)
    with (
        openai.OpenAI(base_url=door.url, api_key=door.key, max_retries=2) as sdk,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        sdk.chat.completions.create(
            model="specialist", messages=[{"role": "user", "content": "ping"}]
        )
    assert refused.value.param == "tools"
    assert line.asked == {"first": 1}


@pytest.mark.parametrize(("fields", "status"), [({}, 502), ({"max_tokens": 999_999}, 400)])
def test_an_option_is_the_callers_mistake_if_they_sent_it(
    door: Door, line: InLine, fields: dict[str, Any], status: int
) -> None:
    """Else the connection or the service set it, and the caller can't mend it."""
    line.first.faults.set(BOUND)
    response = door.ask(**fields)
    assert response.status_code == status, response.text
    assert CANARY not in response.text


def test_a_refusal_that_doesnt_say_so_stays_a_bad_gateway(door: Door, line: InLine) -> None:
    """The server may lack a feature, or be another than was thought."""
    line.first.faults.set(Fault(status=400, body=b'{"error": "cannot"}'))
    assert door.ask().status_code == 502


def test_it_is_said_in_a_stream_that_has_begun(
    door: Door, line: InLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an event."""
    monkeypatch.setattr(quiet, "QUIET_SECONDS", 0.0)
    line.first.faults.set(TOOL_SCHEMA)
    response = door.ask(stream=True)
    [document] = chunks(response.text)
    assert response.status_code == 200
    assert document["error"]["type"] == "invalid_request_error"
    assert document["error"]["param"] == "tools"
