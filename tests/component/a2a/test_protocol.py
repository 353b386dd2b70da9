"""What A2A's specification demands of a server, as its compatibility kit asks for it (a2a-tck)."""

from typing import Any, Final

import httpx
import pytest

from aurorasoc.runtime import Runtime
from tests.component.a2a.test_server import served
from tests.component.a2a_tongues import (
    HTTP_JSON,
    JSON,
    ONE,
    TONGUES,
    ZERO_THREE,
    Tongue,
    code_of,
    content_of,
    documents,
    state_of,
)

in_every_tongue = pytest.mark.parametrize("spoken", TONGUES)


async def said(
    http: httpx.AsyncClient,
    tongue: Tongue,
    operation: str,
    **params: Any,
) -> Any:  # noqa: ANN401 - JSON
    """Return the only document, or the last event, of an answer."""
    return documents(await http.request(**tongue.request(operation, params), timeout=60))[-1]


async def completed(http: httpx.AsyncClient, tongue: Tongue) -> Any:  # noqa: ANN401 - JSON
    """Return a task that has ended."""
    return content_of(await said(http, tongue, "send", message=tongue.message("ping")))


@in_every_tongue
@pytest.mark.parametrize("operation", ["send", "stream"])
async def test_ended_task_takes_no_message(runtime: Runtime, operation: str, spoken: str) -> None:
    """CORE-SEND-002: UnsupportedOperationError."""
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        task = await completed(http, tongue)
        message = tongue.message("and then?", taskId=task["id"])
        assert code_of(await said(http, tongue, operation, message=message)) == -32004


@in_every_tongue
async def test_message_of_another_context_than_its_task_is_refused(
    runtime: Runtime, spoken: str
) -> None:
    """CORE-MULTI-006."""
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        task = await completed(http, tongue)
        message = tongue.message("and then?", taskId=task["id"], contextId="another")
        assert code_of(await said(http, tongue, "send", message=message)) == -32602


@in_every_tongue
async def test_ended_task_can_be_neither_cancelled_nor_followed(
    runtime: Runtime, spoken: str
) -> None:
    """CORE-CANCEL-002, STREAM-SUB-003."""
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        task = await completed(http, tongue)
        cancelled = await said(http, tongue, "cancel", id=task["id"])
        followed = await said(http, tongue, "follow", id=task["id"])
    assert [code_of(cancelled), code_of(followed)] == [-32002, -32004]


@in_every_tongue
async def test_context_of_the_client_is_kept(runtime: Runtime, spoken: str) -> None:
    """CORE-MULTI-002; without one, the task has one of ours (CORE-MULTI-001a)."""
    tongue = TONGUES[spoken]
    async with served(runtime, "threat-hunter") as http:
        theirs = await said(http, tongue, "send", message=tongue.message("ping", contextId="c-1"))
        ours = await completed(http, tongue)
    assert content_of(theirs)["contextId"] == "c-1"
    assert ours["contextId"]


@in_every_tongue
async def test_history_is_as_long_as_asked(runtime: Runtime, spoken: str) -> None:
    """CORE-HIST-001 to 003; in version 0.3 nought is no limit."""
    tongue = TONGUES[spoken]
    none = 1 if tongue is ZERO_THREE else 0
    async with served(runtime, "threat-hunter") as http:
        task = await completed(http, tongue)
        shown = [
            content_of(await said(http, tongue, "get", id=task["id"], **asked))
            for asked in ({}, {"historyLength": 1}, {"historyLength": 0})
        ]
        sent = await said(
            http,
            tongue,
            "send",
            message=tongue.message("ping"),
            configuration={"historyLength": 0},
        )
    assert [len(task.get("history", [])) for task in shown] == [1, 1, none]
    assert shown[0]["history"][0]["parts"][0]["text"] == "ping"
    assert len(content_of(sent).get("history", [])) == none


PUSH: Final = {
    "1.0": (
        "CreateTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        "ListTaskPushNotificationConfigs",
        "DeleteTaskPushNotificationConfig",
    ),
    "0.3": tuple(
        f"tasks/pushNotificationConfig/{verb}" for verb in ("set", "get", "list", "delete")
    ),
}


@pytest.mark.parametrize("spoken", ["0.3", "1.0"])
async def test_push_notifications_are_refused(runtime: Runtime, spoken: str) -> None:
    """CORE-CAP-001: whatever the parameters; and in a message, whose sender would wait for one."""
    tongue = TONGUES[spoken]
    name = "taskPushNotificationConfig" if tongue is ONE else "pushNotificationConfig"
    configuration = {name: {"url": "http://hook.example"}}
    async with served(runtime, "threat-hunter") as http:
        codes = [code_of(await said(http, tongue, method)) for method in PUSH[spoken]]
        message = tongue.message("ping")
        sent = await said(http, tongue, "send", message=message, configuration=configuration)
    assert [*codes, code_of(sent)] == [-32003] * 5


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/tasks/t/pushNotificationConfigs"),
        ("GET", "/tasks/t/pushNotificationConfigs"),
        ("GET", "/tasks/t/pushNotificationConfigs/p"),
        ("DELETE", "/tasks/t/pushNotificationConfigs/p"),
    ],
)
async def test_push_notifications_are_refused_by_path(
    runtime: Runtime, verb: str, path: str
) -> None:
    """HTTP_JSON-STATUS-001: with 400."""
    async with served(runtime, "threat-hunter") as http:
        answer = await http.request(verb, path, headers={"A2A-Version": "1.0"})
    assert (answer.status_code, code_of(answer.json())) == (400, -32003)


async def test_there_is_no_extended_card(runtime: Runtime) -> None:
    """CORE-CAP-003; version 0.3 has an error of its own for it."""
    async with served(runtime, "threat-hunter") as http:
        one = await said(http, ONE, "GetExtendedAgentCard")
        old = await said(http, ZERO_THREE, "agent/getAuthenticatedExtendedCard")
        by_path = await http.get("/extendedAgentCard", headers={"A2A-Version": "1.0"})
    assert [code_of(one), code_of(old), code_of(by_path.json())] == [-32004, -32007, -32004]


@pytest.mark.parametrize(
    ("version", "method", "code"),
    [
        ("99.0", "SendMessage", -32009),
        ("1.1", "SendMessage", -32009),
        ("one", "SendMessage", -32009),
        ("0.3", "SendMessage", -32009),
        ("", "SendMessage", -32009),
        ("1.0", "message/send", -32009),
        ("1.0", "tasks/invent", -32601),
        ("", "tasks/invent", -32601),
        ("1.0.7", "SendMessage", None),
        ("", "message/send", None),
        ("0.3.0", "message/send", None),
    ],
)
async def test_version_decides_what_a_method_means(
    runtime: Runtime, version: str, method: str, code: int | None
) -> None:
    """VER-SERVER-001 to 003: without one it is 0.3, and its third number doesn't matter."""
    tongue = ONE if method == "SendMessage" else ZERO_THREE
    request = tongue.request(method, {"message": tongue.message("ping")})
    async with served(runtime, "threat-hunter") as http:
        answer = await http.request(**request | {"headers": JSON | {"A2A-Version": version}})
    assert code_of(answer.json()) == code


async def test_version_may_stand_in_the_query(runtime: Runtime) -> None:
    """§3.6.1: for clients that can't set a header."""
    request = ONE.request("send", {"message": ONE.message("ping")}) | {"headers": JSON}
    async with served(runtime, "threat-hunter") as http:
        answer = await http.request(**request, params={"A2A-Version": "1.0"})
    assert state_of(answer.json()) == "completed"


@pytest.mark.parametrize("version", ["", "0.3", "99.0"])
async def test_paths_are_version_1_alone(runtime: Runtime, version: str) -> None:
    """VER-SERVER-002, by HTTP+JSON: 400."""
    request = HTTP_JSON.request("send", {"message": HTTP_JSON.message("ping")})
    async with served(runtime, "threat-hunter") as http:
        answer = await http.request(**request | {"headers": JSON | {"A2A-Version": version}})
    assert (answer.status_code, code_of(answer.json())) == (400, -32009)


async def test_errors_of_version_1_say_their_reason(runtime: Runtime) -> None:
    """JSONRPC-ERR-003, HTTP_JSON-ERR-001 and 002; version 0.3's have no details."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "TASK_NOT_FOUND",
        "domain": "a2a-protocol.org",
        "metadata": {},
    }
    async with served(runtime, "threat-hunter") as http:
        one = await said(http, ONE, "get", id="nobody")
        old = await said(http, ZERO_THREE, "get", id="nobody")
        by_path = await http.request(**HTTP_JSON.request("get", {"id": "nobody"}))
    assert one["error"] == {"code": -32001, "message": "Task not found", "data": [info]}
    assert old["error"] == {"code": -32001, "message": "Task not found"}
    assert by_path.headers["Content-Type"] == "application/json"
    assert (by_path.status_code, by_path.json()) == (
        404,
        {
            "error": {
                "code": 404,
                "status": "NOT_FOUND",
                "message": "Task not found",
                "details": [info],
            }
        },
    )


@pytest.mark.parametrize(
    "part",
    [
        {"raw": "dGNr", "mediaType": "application/x-unsupported-tck-type"},
        {"url": "http://files.example/alert.txt", "mediaType": "text/plain"},
        {"text": "<a/>", "mediaType": "image/svg+xml"},
        {"data": {}, "mediaType": "application/x-unsupported-tck-type"},
    ],
)
async def test_media_type_that_no_agent_takes_is_refused(
    runtime: Runtime, part: dict[str, Any]
) -> None:
    """CORE-SEND-003: ContentTypeNotSupportedError, and what to send instead."""
    async with served(runtime, "threat-hunter") as http:
        answer = await said(http, ONE, "send", message=ONE.message(part))
    assert code_of(answer) == -32005
    assert "an agent takes text" in answer["error"]["message"]


@pytest.mark.parametrize("declared", ["text/plain", "text/markdown; charset=utf-8", "Text/CSV"])
async def test_text_of_any_kind_is_taken(runtime: Runtime, declared: str) -> None:
    """A log in a format of its own is text."""
    part = ONE.text("ping", mediaType=declared)
    async with served(runtime, "threat-hunter") as http:
        answer = await said(http, ONE, "send", message=ONE.message(part))
    assert state_of(answer) == "completed"


async def test_answers_by_path_have_their_media_type(runtime: Runtime) -> None:
    """HTTP_JSON-SVC-001 and QP-001: and requests may have it, too."""
    request = HTTP_JSON.request("send", {"message": HTTP_JSON.message("ping")})
    headers = {"A2A-Version": "1.0", "Content-Type": "application/a2a+json"}
    async with served(runtime, "threat-hunter") as http:
        sent = await http.request(**request | {"headers": headers})
        query = {"pageSize": "1", "includeArtifacts": "true", "status": "TASK_STATE_COMPLETED"}
        listed = await http.get("/tasks", params=query, headers={"A2A-Version": "1.0"})
    assert sent.headers["Content-Type"] == "application/a2a+json"
    (task,) = listed.json()["tasks"]
    assert task["artifacts"]
    assert listed.json()["nextPageToken"] == ""


async def test_methods_are_known_by_case(runtime: Runtime) -> None:
    """JSON-RPC's names are exact, and the id comes back as it was."""
    request = {"jsonrpc": "2.0", "id": "a", "method": "sendmessage", "params": {}}
    async with served(runtime, "threat-hunter") as http:
        answer = (await http.post("/", json=request, headers=ONE.headers)).json()
    assert (answer["id"], code_of(answer)) == ("a", -32601)
