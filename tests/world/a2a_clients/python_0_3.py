"""A2A 0.3, by the Python SDK 0.3: argv = the agent's address, what to play.

It is run with `.venv/a2a-0.3` before all other packages.
"""

# mypy: ignore-errors
import asyncio
import json
import sys
from collections.abc import Awaitable, Iterable
from typing import Any

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientJSONRPCError
from a2a.client.helpers import create_text_message_object
from a2a.types import (
    AgentCard,
    Artifact,
    Message,
    Task,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskQueryParams,
)


def text(artifacts: Iterable[Artifact]) -> str:
    """Return the text of artifacts."""
    return "".join(part.root.text for artifact in artifacts for part in artifact.parts)


async def refused(call: Awaitable[object]) -> int | None:
    """Return the code of the error that a call ends in."""
    try:
        await call
    except A2AClientJSONRPCError as error:
        return error.error.code
    return None


async def sent(client: Client, message: Message) -> Task:
    """Send a message, and return the last state of its task."""
    return [event async for event in client.send_message(message)][-1][0]


async def talk(http: httpx.AsyncClient, card: AgentCard) -> dict[str, Any]:
    """Ask whole and streamed, look at the task again, and be refused."""
    client = ClientFactory(ClientConfig(httpx_client=http, streaming=False)).create(card)
    streaming = ClientFactory(ClientConfig(httpx_client=http)).create(card)
    whole = await sent(client, create_text_message_object(content="ping"))
    pieces, lasts, states = [], [], []
    async for task, update in streaming.send_message(create_text_message_object(content="ping")):
        if isinstance(update, TaskArtifactUpdateEvent):
            pieces.append(text([update.artifact]))  # now: the client adds later pieces to the first
            lasts.append(bool(update.last_chunk))
        else:
            states.append(task.status.state)
    again = await client.get_task(TaskQueryParams(id=whole.id))
    empty = create_text_message_object(content="")
    empty.parts = []
    return {
        "version": card.protocol_version,
        "whole": text(whole.artifacts),
        "state": whole.status.state,
        "again": text(again.artifacts),
        "pieces": "".join(pieces),
        "states": states,
        "last": lasts.index(True) == len(lasts) - 1,
        "unknown": await refused(client.get_task(TaskQueryParams(id="nobody"))),
        "empty": await refused(sent(client, empty)),
    }


async def cancel(http: httpx.AsyncClient, card: AgentCard) -> dict[str, Any]:
    """Begin a task, and cancel it."""
    config = ClientConfig(httpx_client=http, streaming=False, polling=True)
    client = ClientFactory(config).create(card)
    task = await sent(client, create_text_message_object(content="ping"))
    cancelled = await client.cancel_task(TaskIdParams(id=task.id))
    again = await client.get_task(TaskQueryParams(id=task.id))
    return {"state": cancelled.status.state, "again": again.status.state}


async def main(url: str, part: str) -> None:
    """Play one part, and print what was seen."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        print(json.dumps(await {"talk": talk, "cancel": cancel}[part](http, card)))  # noqa: T201


asyncio.run(main(*sys.argv[1:]))
