"""Drawn configurations with every connection, ceiling, assignment and order, and who may ask."""

import asyncio
from functools import partial
from typing import Final

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from aurorasoc.config.assignments import Assignment, Assignments
from aurorasoc.config.settings import Settings
from aurorasoc.config.vocabulary import AUTO, Role, ServingBackend, Tlp
from aurorasoc.granite.backend_resolution import refresh_resolution, reset_resolution_cache
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from tests.examples import settings, snapshot
from tests.world.canaries import SOAK

LABELS: Final = (None, *(label for label in Tlp if label is not Tlp.NONE))
NAMED: Final = {
    "azure": ServingBackend.OPENAI,
    "claude-eu": ServingBackend.ANTHROPIC,
    "gpu-two": ServingBackend.VLLM,
    "small": ServingBackend.OLLAMA,
}
CONNECTIONS: Final = ("openai", "deepseek", "vllm", "ollama", *NAMED)
MAY_BE_LOCAL: Final = ("vllm", "ollama", "gpu-two", "small")
AGENTS: Final = ("threat-intel", "malware-analyst")
ELSEWHERE: Final = "not-here"
"""A connection that only another process knows."""

ceilings = st.sampled_from((None, *(str(label) for label in Tlp)))
orders = st.lists(st.sampled_from((*CONNECTIONS, ELSEWHERE)), max_size=8, unique=True).map(tuple)
assigned = st.builds(
    Assignment,
    st.sampled_from((*CONNECTIONS, ELSEWHERE)),
    st.sampled_from((None, "m-own")),
    st.none() | orders,
)
configurations = st.builds(
    StoredConfig,
    backend=st.sampled_from((*CONNECTIONS, AUTO)),
    hosted_max_tlp=ceilings,
    local_backend=st.sampled_from((None, AUTO, *MAY_BE_LOCAL)),
    require_tlp=st.sampled_from((None, True)),
    fallbacks=st.none() | orders,
    providers=st.fixed_dictionaries(
        {
            name: st.builds(
                partial(ConnectionChoice, provider=NAMED.get(name), model=f"m-{name}"),
                max_tlp=ceilings,
            )
            for name in CONNECTIONS
        }
    ),
    assignments=st.builds(
        Assignments,
        roles=st.dictionaries(st.sampled_from(("specialist", "orchestrator")), assigned),
        agents=st.dictionaries(st.sampled_from(AGENTS), assigned),
    ),
)
askers = st.tuples(
    st.sampled_from(LABELS),
    st.sampled_from(("specialist", "orchestrator")),
    st.sampled_from((None, *AGENTS)),
)
Asker = tuple[Tlp | None, Role, str | None]

many = hypothesis_settings(max_examples=5_000 if SOAK else 150, deadline=None)


@pytest.fixture(scope="module")
def boot(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return an environment that says nothing."""
    return settings(tmp_path_factory.mktemp("boot"))


@pytest.fixture
def ollama_is_found(boot: Settings) -> None:
    """Let `auto` have found Ollama."""

    async def answers(_: ServingBackend, url: str) -> int:
        return 200 if url.endswith("/api/tags") else 0

    reset_resolution_cache()
    asyncio.run(refresh_resolution(snapshot(boot), answers))


def may_have(stored: StoredConfig, name: str, tlp: Tlp | None) -> str:
    """Say the design's rule on one connection again: `yes`, `if local`, or `no`."""
    order = ["NONE", "CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    ceiling, policy = stored.providers[name].max_tlp, stored.hosted_max_tlp or "GREEN"
    if tlp is None or order.index(tlp) <= order.index(ceiling or policy):
        return "yes"
    return "if local" if ceiling is None and name in MAY_BE_LOCAL else "no"
