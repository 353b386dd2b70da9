"""A served agent whose provider fails: the next connection answers its task, in A2A's own terms."""

from typing import Any, Final

import httpx

from aurorasoc.runtime import Runtime
from tests.component.a2a.test_server import served
from tests.component.in_line import InLine, line, runtime, servers
from tests.world.vendor import Fault, Refusal

__all__ = ["line", "runtime", "servers"]  # pytest finds them here

DOWN: Final = Fault(refusal=Refusal.SERVER_ERROR)
PING: Final = {
    "kind": "message",
    "messageId": "m1",
    "role": "user",
    "parts": [{"kind": "text", "text": "ping"}],
}


async def _task(http: httpx.AsyncClient) -> dict[str, Any]:
    """Send a message as version 0.3 has it, and return the task that it ended in."""
    document = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": PING}}
    task: dict[str, Any] = (await http.post("/", json=document, timeout=60)).json()["result"]
    return task


def _said(task: dict[str, Any]) -> str:
    """Return what a task says: in its artifacts, else in its last status."""
    holders = task.get("artifacts") or [task["status"]["message"]]
    return "".join(part["text"] for holder in holders for part in holder["parts"])


async def test_a_task_is_completed_by_the_next_connection(runtime: Runtime, line: InLine) -> None:
    """Its client sees one whole answer, and nothing of the first failure."""
    line.first.faults.set(DOWN)
    async with served(runtime, "threat-hunter") as http:
        task = await _task(http)
    assert task["status"]["state"] == "completed"
    assert _said(task) == "m-second says: pong"
    assert line.asked == {"first": 1, "second": 1}


async def test_a_task_that_everyone_fails_says_what_the_first_said(
    runtime: Runtime, line: InLine
) -> None:
    """Who was chosen isn't hidden by who stood in."""
    for server in line.all.values():
        server.faults.set(DOWN)
    async with served(runtime, "threat-hunter") as http:
        task = await _task(http)
    assert task["status"]["state"] == "failed"
    assert _said(task).startswith("first ")
    assert line.asked == {"first": 1, "second": 1, "third": 1}


async def test_a_label_passes_hosted_fallbacks_by(runtime: Runtime, line: InLine) -> None:
    """What an agent sees under RED goes to the local one, though it is the last in line."""
    async with served(runtime, "threat-hunter", "RED") as http:
        task = await _task(http)
    assert (task["status"]["state"], line.asked) == ("completed", {"third": 1})


async def test_the_next_task_is_asked_of_the_first_again(runtime: Runtime, line: InLine) -> None:
    """A served agent doesn't stay with who stood in."""
    async with served(runtime, "threat-hunter") as http:
        line.first.faults.set(DOWN)
        await _task(http)
        line.first.faults.clear()
        task = await _task(http)
    assert _said(task) == "m-first says: pong"
