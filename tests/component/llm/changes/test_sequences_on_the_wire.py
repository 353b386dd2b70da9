"""Random sequences of changes, with calls in between: what arrives at the servers is looked at.

The sequences are those of `test_sequences`. Here their addresses are servers that listen, and after
each change somebody asks anew, and whoever was pinned before it asks again.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from aurorasoc import get_chat_model
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import AuroraError
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.handle import LiveChatModel
from aurorasoc.llm.wire.libraries import adapter
from aurorasoc.runtime import Runtime
from tests.component.llm.changes.test_sequences import (
    AGENT,
    ASKERS,
    BUILT_IN,
    DECLARED,
    LABELS,
    ONE,
    TWO,
    Entered,
    environment,
    may_have,
    note,
    running,
    steps,
    take,
)
from tests.component.workflows.stage import new_mark
from tests.examples import API_KEY, OTHER_API_KEY, SEED
from tests.world.canaries import SOAK
from tests.world.certificates import CertificateAuthority
from tests.world.connect_proxy import ConnectProxy
from tests.world.vendor import Exchange, VendorServer

NOT_NEEDED: Final = "not-needed"
ENVIRONMENTS_KEY: Final = "sk-env-"
"""How a key of `environment` begins."""

visits = st.tuples(steps, st.sampled_from(LABELS), st.sampled_from(ASKERS))


@dataclass(frozen=True)
class Servers:
    """Whom calls may reach: two servers of the site's, the boot default's, and the vendors."""

    one: VendorServer
    two: VendorServer
    default: VendorServer
    vendors: VendorServer

    @property
    def variables(self) -> dict[str, str]:
        """What leads the built-in connections here, each to a model of its own."""
        models = {f"LLM_{n}_MODEL": f"m-{n.lower()}" for n in ("DEEPSEEK", "VLLM")}
        return {
            **models,
            "LLM_OPENAI_COMPATIBLE_MODEL": "m-openai",
            "LLM_VLLM_BASE_URL": f"{self.default.url}/v1",
            "LLM_MAX_RETRIES": "0",
        }

    def real(self, argument: Any) -> Any:  # noqa: ANN401 - drawn
        """Return an argument of a step with the address that a server has."""
        if not isinstance(argument, str):
            return argument
        return argument.replace(ONE, self.one.url).replace(TWO, self.two.url)

    def arrived(self) -> list[tuple[str, Exchange]]:
        """Return what has arrived, with the origin that it was sent to, and forget it."""
        requests = [
            (f"https://{e.host}:443" if e.tls else server.url, e)
            for server in (self.one, self.two, self.default, self.vendors)
            for e in server.requests
        ]
        for server in (self.one, self.two, self.default, self.vendors):
            server.clear()
        return requests


@pytest.fixture(scope="module")
def servers(ca: CertificateAuthority) -> Iterator[Servers]:
    """Start them; they take every key."""
    plays = ("vllm", "openai", "deepseek")
    with (
        VendorServer(plays=plays) as one,
        VendorServer(plays=plays) as two,
        VendorServer(plays=plays) as default,
        VendorServer(plays=plays, tls=ca.issue().context()) as vendors,
        ConnectProxy(vendors.tls_port) as proxy,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("HTTPS_PROXY", proxy.url)
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        patch.setenv("SSL_CERT_FILE", str(ca.pem))
        yield Servers(one, two, default, vendors)


@dataclass
class Story:
    """One sequence as it goes on.

    Attributes:
        entered: For which origins each connection's keys were entered.
        booted: Where the environment's keys belong, by connection.
        pinned: Who is asked again, with which label, on which connection.
        calls: What arrived, by connection, with its label and its key.
    """

    servers: Servers
    entered: Entered = field(default_factory=dict)
    booted: dict[str, str] = field(default_factory=dict)
    pinned: tuple[LiveChatModel, Tlp | None, str] | None = None
    calls: list[tuple[str, str | None, str]] = field(default_factory=list)

    async def go_through(self, file: Path, taken: list[Any]) -> None:
        """Take each step, and ask after it."""
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(self._boot(file, {}))
            for (name, *drawn), label, asker in taken:
                arguments = [self.servers.real(argument) for argument in drawn]
                if name == "restart":
                    await stack.aclose()
                    variables = environment(*arguments)
                    self._note_booted(*arguments)
                    runtime = await stack.enter_async_context(self._boot(file, variables))
                    self.pinned = None
                else:
                    try:
                        await take(runtime, name, *arguments)
                    except AuroraError:
                        continue
                note(self.entered, runtime.adoption.snapshot, name, *arguments)
                await self._ask(runtime, label, *asker)
            await adapter.close()

    def _boot(self, file: Path, variables: dict[str, str]) -> Any:  # noqa: ANN401 - a context
        return running(file, **(self.servers.variables | variables))

    def _note_booted(
        self,
        base_url: str | None,
        with_key: bool,  # noqa: FBT001 - drawn
        _seed: str,
        declares: str | None,
    ) -> None:
        """Note where the environment's keys belong: to the address that it names itself."""
        kinds = {name: name for name in BUILT_IN} | ({DECLARED: declares} if declares else {})
        self.booted = {}
        for name, kind in kinds.items() if with_key else ():
            default = CATALOG[ServingBackend(kind)].default_base_url
            if name == "vllm":
                default = self.servers.default.url
            self.booted[name] = origin_of(base_url or default)

    async def _ask(self, runtime: Runtime, label: Tlp | None, role: str, agent: str | None) -> None:
        """Ask anew, and let whoever was pinned ask again; look at all that arrived."""
        if self.pinned is not None:
            handle, its, name = self.pinned
            await self._send(runtime, handle, its, name)
        try:
            await runtime.pool.prepare(label, role, agent)  # type: ignore[arg-type]  # drawn
            handle = get_chat_model(role, tlp=label, agent=agent)  # type: ignore[arg-type]  # drawn
            pinned = await handle.clone()
            name = pinned.pinned.reference.connection
        except AuroraError:
            self._look(runtime, None, None, "")
            return
        await self._send(runtime, handle, label, name)
        self.pinned = (pinned, label, name)

    async def _send(
        self, runtime: Runtime, handle: LiveChatModel, label: Tlp | None, name: str
    ) -> None:
        mark = new_mark()
        with suppress(AuroraError):
            await handle.run([UserMessage(mark)])
        self._look(runtime, mark, label, name)

    def _look(self, runtime: Runtime, mark: str | None, label: Tlp | None, name: str) -> None:
        """Check each request: its key belongs to that origin, its label may go there."""
        snapshot = runtime.adoption.snapshot
        for origin, exchange in self.servers.arrived():
            key = exchange.headers.get("authorization", "").removeprefix("Bearer ")
            if mark is None or mark.encode() not in exchange.raw:
                assert not exchange.body, "only lists of models are read without a mark"
                assert any(self._belongs(key, one, origin) for one in snapshot.connections)
                continue
            self.calls.append((name, label, key))
            assert self._belongs(key, name, origin)
            config = snapshot.connections[name]
            assert label is None or may_have(snapshot, config, label, restricted=True)

    def _belongs(self, key: str, name: str, origin: str) -> bool:
        """Whether a connection's key may be sent to an origin."""
        if key in {"", NOT_NEEDED}:
            return True
        if key.startswith(ENVIRONMENTS_KEY):
            return self.booted.get(name) == origin
        return origin in self.entered.get((name, key), ())


def go_through(servers: Servers, migrated_file: Path, taken: list[Any]) -> Story:
    """Go through a sequence, on a database of its own."""
    story = Story(servers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(shutil.copy(migrated_file, folder))
        asyncio.run(story.go_through(file, taken))
    return story


@pytest.mark.soak
@given(st.lists(visits, min_size=6, max_size=20))
@hypothesis_settings(
    max_examples=400 if SOAK else 10,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),  # to shrink a failure would take minutes
)
@pytest.mark.usefixtures("libraries")
def test_no_request_brings_a_key_or_a_label_where_it_may_not_go(
    servers: Servers, migrated_file: Path, taken: list[Any]
) -> None:
    """Whoever asks, anew or pinned, after whatever was changed."""
    go_through(servers, migrated_file, taken)


SEEN: Final = [
    (("make_with_key", "lab", "vllm", ONE, API_KEY), Tlp.RED, ("specialist", None)),
    (("assign", AGENT, "lab"), Tlp.RED, ("specialist", AGENT)),
    (("move_with_key", "lab", TWO, OTHER_API_KEY), Tlp.RED, ("specialist", AGENT)),
    (("set_ceiling", "lab", "CLEAR"), Tlp.CLEAR, ("specialist", AGENT)),
    (("restart", ONE, True, SEED, None), Tlp.GREEN, ("orchestrator", None)),
]


@pytest.mark.usefixtures("libraries")
def test_what_may_go_is_seen_to_arrive(servers: Servers, migrated_file: Path) -> None:
    """A fixed sequence: whoever is pinned asks twice, until the ceiling forbids it."""
    assert go_through(servers, migrated_file, SEEN).calls == [
        ("vllm", "RED", NOT_NEEDED),
        ("vllm", "RED", NOT_NEEDED),
        ("lab", "RED", API_KEY),
        ("lab", "RED", API_KEY),
        ("lab", "RED", OTHER_API_KEY),
        ("lab", "CLEAR", OTHER_API_KEY),
        ("vllm", "GREEN", f"{ENVIRONMENTS_KEY}{SEED[:8]}"),
    ]
