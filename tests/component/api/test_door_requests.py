"""What the door takes, what it refuses by name, and what it says of what a model wasn't told."""

import json
from typing import Any, Final

import pytest

from aurorasoc.api.door.asking import left_out
from aurorasoc.api.door.body import CompletionBody
from tests.component.in_line import InLine
from tests.component.open_door import door, error_of, line, opened, servers
from tests.world.door import Door
from tests.world.vendor import Fault, Refusal

__all__ = ["door", "line", "opened", "servers"]  # pytest finds them here

PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
USER: Final = {"role": "user", "content": "ping"}
TOOL: Final = {"type": "function", "function": {"name": "look_up"}}
CALL: Final = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"ip": "192.0.2.7"}'},
}


def _image(url: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}


REFUSED: Final[dict[str, dict[str, Any]]] = {
    "n": {"n": 2},
    "store": {"store": True},
    "logprobs": {"logprobs": True},
    "logit_bias": {"logit_bias": {"50256": -100}},
    "modalities": {"modalities": ["text", "audio"]},
    "audio": {"audio": {"voice": "alloy", "format": "wav"}},
    "functions": {"functions": [{"name": "f"}]},
    "function_call": {"function_call": "auto"},
    "prediction": {"prediction": {"type": "content", "content": "x"}},
    "web_search_options": {"web_search_options": {}},
    "service_tier": {"service_tier": "priority"},
    "verbosity": {"verbosity": "low"},
    "temperature": {"temperature": 3},
    "top_p": {"top_p": -1},
    "max_tokens": {"max_tokens": 0},
    "stop": {"stop": ["x"] * 17},
    "seed": {"seed": "tuesday"},
    "reasoning_effort": {"reasoning_effort": "enormous"},
    "messages": {"messages": []},
    "messages.0.name": {"messages": [{**USER, "name": "x" * 65}]},
    "messages.1.tool_call_id": {
        "messages": [USER, {"role": "tool", "tool_call_id": "call_9", "content": "x"}]
    },
    "messages.0.content": {"messages": [{"role": "assistant", "content": None}]},
    "messages.1.content": {"messages": [USER, {"role": "user", "content": []}]},
    "messages.1.content.0.image_url.url": {"messages": [USER, _image("https://a.example/")]},
    "response_format.json_schema.schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "f"}}
    },
    "tool_choice.function.name": {"tool_choice": {"type": "function", "function": {}}},
    "tools": {"tools": [TOOL] * 129},
    "tools.0.function.name": {"tools": [{"type": "function", "function": {"name": "a b"}}]},
    "tools.0.function.parameters": {
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"x": "x" * 70_000}}}
        ]
    },
    "tools.0.type": {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
    "response_format": {"response_format": {"type": "grammar"}},
}


@pytest.mark.parametrize("field", REFUSED)
def test_what_cant_be_honoured_is_refused_by_name(door: Door, line: InLine, field: str) -> None:
    """With a 400, before anybody is asked."""
    response = door.ask(**REFUSED[field])
    assert response.status_code == 400, response.text
    error = error_of(response)
    assert (error["code"], error["type"]) == ("invalid_input", "invalid_request_error")
    assert error["param"].removesuffix(".1") == field, error
    assert field in error["message"]
    assert not line.asked


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"{" + b"9" * 5_000, b'{"seed": ' + b"9" * 5_000 + b"}"]
)
def test_a_body_that_cant_be_read_is_refused(door: Door, body: bytes) -> None:
    """With our code for it, and not the framework's."""
    with door.client(**{"Content-Type": "application/json"}) as http:
        response = http.post("/chat/completions", content=body)
    assert response.status_code == 400, response.text
    assert (error_of(response)["code"], error_of(response)["param"]) == ("invalid_input", "body")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "tool_choice",
        ),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls"),
    ],
)
def test_fields_that_dont_fit_together_are_refused(
    door: Door, fields: dict[str, Any], name: str
) -> None:
    """By the name of one of them."""
    response = door.ask(**fields)
    assert response.status_code == 400, response.text
    assert error_of(response)["param"] == name


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "sk-secret-0123456789", "content": "x"}]},
        {"response_format": {"type": "sk-secret-0123456789"}},
        {"messages": [{"role": "user", "content": [{"type": "sk-secret-0123456789"}]}]},
        {"tool_choice": "sk-secret-0123456789"},
        {"metadata": {"sk-secret-0123456789": 1}},
    ],
)
def test_no_wrong_value_is_repeated(door: Door, fields: dict[str, Any]) -> None:
    """It may be a key in the wrong place."""
    response = door.ask(**fields)
    assert response.status_code == 400
    assert "sk-secret" not in response.text


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/N", "$defs": {"N": {"type": "object"}}},
        {"anyOf": [{"type": "object"}]},
        {"type": "array"},
        {"type": ["object", "null"]},
    ],
)
def test_parameters_that_are_no_objects_are_refused(
    door: Door, line: InLine, schema: dict[str, Any]
) -> None:
    """OpenAI refuses them, and Claude would be told of a function without parameters."""
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    response = door.ask(tools=[tool])
    assert response.status_code == 400, response.text
    assert error_of(response)["param"] == "tools.0.function.parameters"
    assert not line.asked


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_schema_with_a_number_that_json_lacks_is_refused(
    door: Door, line: InLine, number: str
) -> None:
    """Python reads it, and a vendor would refuse the whole request as unreadable."""
    schema = f'{{"type": "object", "minProperties": {number}}}'
    tool = f'{{"type": "function", "function": {{"name": "f", "parameters": {schema}}}}}'
    ping = '[{"role": "user", "content": "ping"}]'
    body = f'{{"model": "specialist", "messages": {ping}, "tools": [{tool}]}}'
    with door.client(**{"Content-Type": "application/json"}) as http:
        response = http.post("/chat/completions", content=body)
    assert response.status_code == 400, response.text
    assert error_of(response)["param"] == "tools.0.function.parameters"
    assert not line.asked


@pytest.mark.parametrize(
    "arguments",
    ["{", "[]", '"x"', "null", '{"a": NaN}', "[" * 50_000, '{"a":' * 100 + "1" + "}" * 100],
    ids=["cut", "list", "text", "null", "nan", "unclosed", "deep"],
)
def test_arguments_that_are_no_object_are_refused(door: Door, line: InLine, arguments: str) -> None:
    """Claude would be told of a call without any, and a deep one failed while it was translated."""
    call = CALL | {"function": {"name": "look_up", "arguments": arguments}}
    turns = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ]
    response = door.ask(messages=turns, tools=[TOOL])
    assert response.status_code == 400, response.text
    assert error_of(response)["param"] == "messages.1.tool_calls.0.function.arguments"
    assert not line.asked


def test_an_unknown_field_is_refused_and_not_repeated(door: Door) -> None:
    """It may be a key in the wrong place."""
    unknown: dict[str, Any] = {"sk-secret-0123456789": True}
    response = door.ask(**unknown)
    assert response.status_code == 400
    assert "sk-secret" not in response.text
    assert "this takes" in error_of(response)["message"] or "mean" in error_of(response)["message"]


@pytest.mark.parametrize(
    "url", ["https://example.org/a.png", "http://169.254.169.254/", "file:///etc/passwd"]
)
def test_an_image_by_address_is_refused(door: Door, line: InLine, url: str) -> None:
    """No address is fetched, and none is passed on."""
    response = door.ask(messages=[_image(url)])
    assert response.status_code == 400
    assert "data:" in error_of(response)["message"]
    assert url not in response.text
    assert not line.asked


def test_a_body_of_another_type_is_told_which_to_announce(door: Door) -> None:
    """As curl sends it if nobody says what it is."""
    with door.client(**{"Content-Type": "application/x-www-form-urlencoded"}) as http:
        error = error_of(http.post("/chat/completions", content='{"model": "specialist"}'))
    assert "Content-Type: application/json" in error["message"]


def test_an_image_in_the_message_goes_along(door: Door, line: InLine) -> None:
    """As it came."""
    assert door.ask(messages=[_image(PIXEL)]).status_code == 200
    [part] = line.first.requests[-1].body["messages"][0]["content"]
    assert part["image_url"]["url"] == PIXEL


def test_options_reach_the_vendor(door: Door, line: InLine) -> None:
    """Each by its name."""
    options: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 99,
        "stop": ["END"],
        "frequency_penalty": 0.1,
        "presence_penalty": -0.1,
        "tools": [TOOL],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
    }
    response = door.ask(**options)
    assert response.status_code == 200, response.text
    body = line.first.requests[-1].body
    assert {name: body.get(name) for name in options} == options
    assert "x-aurora-left-out" not in response.headers


def test_what_isnt_asked_isnt_sent(door: Door, line: InLine) -> None:
    """Neither BeeAI's temperature nor anything else."""
    door.ask(temperature=None, tools=None, stop=None, response_format={"type": "text"})
    assert line.first.requests[-1].body.keys() == {"model", "messages"}


def test_what_changes_nothing_is_taken(door: Door, line: InLine) -> None:
    """Clients send it with every call."""
    neutral: dict[str, Any] = {
        "n": 1,
        "store": False,
        "logprobs": False,
        "top_logprobs": None,
        "logit_bias": {},
        "modalities": ["text"],
        "service_tier": "auto",
        "stream": False,
        "stream_options": None,
        "function_call": None,
    }
    response = door.ask(**neutral)
    assert response.status_code == 200, response.text
    assert line.first.requests[-1].body.keys() == {"model", "messages"}
    assert "x-aurora-left-out" not in response.headers


def test_what_no_vendor_is_told_is_named(door: Door, line: InLine) -> None:
    """Who asked is nobody's business there; a header says that it was kept here."""
    turns = [{**USER, "name": "alice"}, {"role": "assistant", "content": "pong"}, USER]
    for streams in (False, True):
        response = door.ask(
            messages=turns, user="alice@soc", metadata={"case": "4711"}, stream=streams
        )
        assert response.status_code == 200, response.text
        assert response.headers["x-aurora-left-out"] == "metadata, name, user"
        sent = str(line.first.requests[-1].body)
        assert "alice" not in sent
        assert "4711" not in sent


def test_what_a_model_refuses_is_left_out_and_named(door: Door, line: InLine) -> None:
    """It is asked again without it; the service remembers that for its models."""
    message = "Unsupported parameter: 'seed' is not supported with this model."
    error = {"message": message, "type": "invalid_request_error", "param": "seed"}
    refusal = json.dumps({"error": {**error, "code": "unsupported_parameter"}}).encode()
    line.first.faults.set(Fault(status=400, body=refusal, times=1))
    for streams in (False, True):
        response = door.ask(seed=7, stream=streams)
        assert response.status_code == 200, response.text
        assert response.headers["x-aurora-left-out"] == "seed"
        assert response.headers["x-aurora-connection"] == "first"


def test_an_answer_may_be_sent_back_as_it_came(door: Door, line: InLine) -> None:
    """Agents append messages of answers to their next request, nulls and thoughts included."""
    turn = {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "reasoning_content": "Hm.",
        "tool_calls": [{**CALL, "index": 0}],
    }
    result = {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": ""}]}
    response = door.ask(messages=[USER, turn, result], tools=[TOOL])
    assert response.status_code == 200, response.text
    assert response.headers["x-aurora-left-out"] == "reasoning_content"
    _, sent, answered = line.first.requests[-1].body["messages"]
    assert sent["tool_calls"] == [CALL]
    assert answered["tool_call_id"] == "call_1"
    assert "Hm." not in str(line.first.requests[-1].body)


@pytest.mark.parametrize("streams", [False, True])
def test_what_anthropics_format_cant_say_is_named(
    door: Door, line: InLine, *, streams: bool
) -> None:
    """Where OpenAI's can, nothing is: the header tells of whoever answered."""
    said = [{"type": "text", "text": "ping"}, _image(PIXEL)["content"][0]]
    said[1]["image_url"]["detail"] = "high"
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": said}],
        "tools": [{"type": "function", "function": {"name": "look_up", "strict": True}}],
        "stop": ["END", "\n"],
        "stream": streams,
    }
    assert "x-aurora-left-out" not in door.ask(**fields).headers
    line.first.faults.set(Fault(refusal=Refusal.BAD_KEY))
    response = door.ask(**fields)
    assert response.headers["x-aurora-connection"] == "second", response.text
    assert response.headers["x-aurora-left-out"] == "detail, stop, strict"
    assert "strict" not in str(line.second.requests[-1].body)


def test_what_a_vendor_isnt_sent_of_a_schema_is_named() -> None:
    """Beside what the caller's own fields tell."""
    body = CompletionBody.model_validate({"model": "specialist", "messages": [USER], "user": "a"})
    unsaid = frozenset({"schema.maximum", "strict", "system_role"})
    assert left_out(body, unsaid) == {"schema.maximum", "strict", "user"}
