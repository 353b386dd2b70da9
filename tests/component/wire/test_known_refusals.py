"""The services whose addresses are known: what each refuses, and what it is sent then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from beeai_framework.backend.message import (
    AssistantMessage,
    MessageToolCallContent,
    MessageToolResultContent,
    ToolMessage,
)
from pydantic import BaseModel

from tests.component.wire.known_answers import piece, whole
from tests.component.wire.test_known_addresses import PING, ROWS, closed, handle_at
from tests.world.known_vendor import KnownVendor, Said, events

__all__ = ["closed"]  # pytest finds it here

pytestmark = pytest.mark.usefixtures("closed")


class Verdict(BaseModel):
    """A structured answer."""

    severity: str


VERDICT: Final = '{"severity": "low"}'
_CALL: Final = MessageToolCallContent(id="call_8ab1cd2e", tool_name="lookup", args="{}")
_RESULT: Final = MessageToolResultContent(
    tool_call_id=_CALL.id, tool_name="lookup", result="192.0.2.1 is known"
)
BEGUN_ELSEWHERE: Final[list[Any]] = [*PING, AssistantMessage([_CALL]), ToolMessage([_RESULT])]


class Refusal(NamedTuple):
    """What a service refuses once.

    Attributes:
        service: Who refuses.
        answer: In which words.
        refused: Whether a body holds what it refuses.
        options: What the caller asks for.
        messages: The conversation.
    """

    service: str
    answer: Said
    refused: Callable[[dict[str, Any]], bool]
    options: dict[str, Any]
    messages: list[Any] = PING


def _forbidden(name: str) -> Said:
    """Word a refusal as Mistral does."""
    complaint = {
        "type": "extra_forbidden",
        "loc": ["body", name],
        "msg": "Extra inputs are not permitted",
        "input": 1,
    }
    return Said({"object": "error", "message": {"detail": [complaint]}}, 422)


def _error(message: str, **more: Any) -> Said:
    return Said({"error": {"message": message, "type": "invalid_request_error", **more}}, 400)


def _format(body: dict[str, Any]) -> str | None:
    kind: str | None = body.get("response_format", {}).get("type")
    return kind


REFUSALS: Final = {
    "Azure: max_tokens, by the name of a deployment": Refusal(
        "azure",
        _error(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
            code="unsupported_parameter",
        ),
        lambda body: "max_tokens" in body,
        {"max_tokens": 17},
    ),
    "Bedrock: a temperature, of a model that thinks": Refusal(
        "bedrock",
        _error("Unsupported parameter: 'temperature' is not supported with this model."),
        lambda body: "temperature" in body,
        {"temperature": 0.2},
    ),
    "Mistral: a seed": Refusal(
        "mistral", _forbidden("seed"), lambda body: "seed" in body, {"seed": 7}
    ),
    "Mistral: ids of tool calls": Refusal(
        "mistral",
        Said(
            {
                "object": "error",
                "message": "Tool call id was x but must be a-z, A-Z, 0-9, with a length of 9.",
                "type": "invalid_function_call",
                "code": "3280",
            },
            400,
        ),
        lambda body: body["messages"][1]["tool_calls"][0]["id"] == _CALL.id,
        {},
        BEGUN_ELSEWHERE,
    ),
    "Groq: a JSON schema": Refusal(
        "groq",
        _error("This model does not support response format `json_schema`."),
        lambda body: _format(body) == "json_schema",
        {"response_format": Verdict},
    ),
    "Hugging Face: a JSON schema, at the company behind it": Refusal(
        "hugging-face",
        _error("response_format of type json_schema is not supported"),
        lambda body: _format(body) == "json_schema",
        {"response_format": Verdict},
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", REFUSALS)
async def test_what_is_refused_is_left_out_and_not_sent_again(
    tmp_path: Path,
    name: str,
    stream: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """One refused request; the call is answered without, and so is the next one."""
    case = REFUSALS[name]
    answer = (
        events(piece({"content": VERDICT}), piece({}, "stop"))
        if stream
        else whole({"content": VERDICT})
    )
    with KnownVendor(case.answer, answer) as server:
        handle = handle_at(server, ROWS[case.service], tmp_path)
        for _ in range(2):
            output = await handle.run(case.messages, stream=stream, **case.options)
            assert output.get_text_content() == VERDICT
        assert [case.refused(body) for body in server.bodies] == [True, False, False]
