"""One agent as an A2A server: card, JSON-RPC, health, and a stop that lets answers finish."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps import A2AStarletteApplication
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentSkill, Task
from a2a.utils import new_agent_text_message
from beeai_framework.adapters.a2a.serve.executors.base_a2a_agent_executor import (
    BaseA2AAgentExecutor,
)
from beeai_framework.serve.utils import LRUMemoryManager
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from aurorasoc.a2a.beeai_logs import adopt_loggers
from aurorasoc.agents.factory import AgentFactory
from aurorasoc.agents.registry import AgentDefinition, Skill, definition_of
from aurorasoc.config.settings import Settings
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, ConfigurationError
from aurorasoc.runtime import current_runtime, open_runtime

DRAIN_SECONDS: Final = 8
"""How long a stop waits for answers under way."""

KEPT: Final = 1_000
"""Tasks, and conversations, that are remembered; the oldest are forgotten first."""

log = get_logger("aurorasoc.a2a")


async def serve(name: str, host: str, port: int, *, url: str | None, tlp: str | None) -> None:
    """Serve an agent until a signal.

    Args:
        name: One of the registry's.
        host: Address to listen on.
        port: Port to listen on.
        url: Where clients reach it, for its card; None is the address it listens on.
        tlp: Label of the data that it will be given.

    Raises:
        ConfigurationError: The environment is wrong, or the address can't be listened on.
        AuroraError: The agent can't be built; what `AgentFactory.build` raises.
    """
    app = create_app(name, url=url or _url(host, port), tlp=tlp)
    with _listen(host, port) as listener:
        async with open_runtime(kind="agent", name=name) as runtime:
            await AgentFactory(runtime).build(name, tlp=tlp)
            log.info("serving", agent=name, url=_url(host, port))
            await _run(app, listener)


def create_app(
    name: str, *, url: str, tlp: str | None = None, settings: Settings | None = None
) -> Starlette:
    """Compose the app of one agent; its lifespan opens the runtime.

    Args:
        name: One of the registry's.
        url: Where clients reach it.
        tlp: Label of the data that it will be given.
        settings: What to run with; None reads the environment and `secrets.env`.

    Raises:
        NotFound: There is no such agent.
    """
    definition = definition_of(name)
    card = card_of(definition, url)
    handler = DefaultRequestHandler(
        agent_executor=PerMessage(definition, card, tlp), task_store=RecentTasks()
    )
    application = A2AStarletteApplication(agent_card=card, http_handler=handler)
    health = Route("/health", _health_of(definition, tlp))
    return application.build(lifespan=_lifespan_of(name, tlp, settings), routes=[health])


def card_of(definition: AgentDefinition, url: str) -> AgentCard:
    """Give the card by which clients find the agent."""
    return AgentCard(
        name=definition.name,
        description=definition.description,
        url=url,
        version=version("aurorasoc"),
        default_input_modes=["text/plain", "application/json"],
        default_output_modes=["text/plain"],
        capabilities=AgentCapabilities(streaming=True),
        skills=[_skill(skill, definition) for skill in definition.skills],
    )


class PerMessage(AgentExecutor):
    """Builds the agent anew for each message, and lets BeeAI's executor run it.

    So each message adopts a newer revision first and is pinned from then on, a failure to build
    fails its task only, and so does a cancellation: BeeAI's own stops every later run, too.

    Args:
        definition: Who answers.
        card: Its card.
        tlp: Label of the data that it is given.
    """

    def __init__(self, definition: AgentDefinition, card: AgentCard, tlp: str | None) -> None:
        self._definition = definition
        self._card = card
        self._tlp = tlp
        self._memories = LRUMemoryManager(KEPT)

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Answer a message; a failure of ours fails the task, and says why in our words."""
        try:
            agent = await AgentFactory(current_runtime()).build(
                self._definition.name, tlp=self._tlp
            )
            run = BaseA2AAgentExecutor(agent, self._card, memory_manager=self._memories)
            await run.execute(context, event_queue)
        except AuroraError as error:
            log.warning("not answered", code=error.code, detail=error.detail)
            said = new_agent_text_message(error.detail, context.context_id, context.task_id)
            await _updater(context, event_queue).failed(said)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """Mark the task as cancelled; the request handler ends its run."""
        await _updater(context, event_queue).cancel()


class RecentTasks(InMemoryTaskStore):
    """Tasks in memory, and not all of them for ever."""

    async def save(self, task: Task, context: ServerCallContext | None = None) -> None:
        """Keep a task, and forget the oldest."""
        await super().save(task, context)
        while len(self.tasks) > KEPT:
            del self.tasks[next(iter(self.tasks))]


async def _run(app: Starlette, listener: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    await uvicorn.Server(config).serve(sockets=[listener])


def _lifespan_of(
    name: str, tlp: str | None, settings: Settings | None
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_runtime(settings, kind="agent", name=name) as runtime:
            await runtime.pool.prepare(tlp)
            adopt_loggers()
            yield

    return lifespan


def _health_of(
    definition: AgentDefinition, tlp: str | None
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def health(_: Request) -> JSONResponse:
        """Answer 200 as long as messages are taken; the body says whether a model answers them."""
        return JSONResponse({"agent": definition.name, **_state(definition, tlp)})

    return health


def _state(definition: AgentDefinition, tlp: str | None) -> dict[str, Any]:
    try:
        binding = current_runtime().pool.handles[definition.role, tlp].binding
    except AuroraError as error:
        return {"model": None, "problem": {"code": error.code, "detail": error.detail}}
    return {"model": str(binding.reference), "revision": binding.revision, "problem": None}


def _updater(context: RequestContext, event_queue: EventQueue) -> TaskUpdater:
    return TaskUpdater(event_queue, context.task_id or "", context.context_id or "")


def _skill(skill: Skill, definition: AgentDefinition) -> AgentSkill:
    return AgentSkill(
        id=skill.id,
        name=skill.name,
        description=skill.description,
        examples=[skill.example],
        tags=list(definition.tags),
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError:
        detail = f"{host} port {port} can't be listened on. Choose others with --host and --port."
    raise ConfigurationError(detail)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
