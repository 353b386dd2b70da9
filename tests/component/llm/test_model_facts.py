"""What models are, in the inventory: by the table, by what was learnt, and until when."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.llm.admin import Admin
from aurorasoc.llm.inventory import ConnectionView
from aurorasoc.llm.wire.asking.learned import Capabilities, Lesson, Place
from aurorasoc.llm.wire.windows.known import ContextWindow, keep_window
from aurorasoc.runtime import open_runtime
from tests.examples import API_KEY, SEED, config_request, settings
from tests.world.model_table import first_to_retire

GEMINI = ServingBackend.GEMINI


@pytest.fixture
async def admin(database_file: Path) -> AsyncIterator[Admin]:
    """Open a runtime whose providers lead where they lead by default."""
    boot = settings(database_file.parent, AURORA_SECRET_KEY=SEED, LLM_GEMINI_API_KEY=API_KEY)
    async with open_runtime(boot, kind=None) as runtime:
        yield runtime.admin


async def row_of(admin: Admin, provider: str) -> ConnectionView:
    """Return a provider's row."""
    rows = (await admin.inventory()).providers
    return next(row for row in rows if row.provider == provider)


def on(admin: Admin, day: date) -> Admin:
    """Return the admin on another day, at the last moment of it."""
    moment = datetime.combine(day, time.max, UTC)
    return replace(admin, clock=lambda: int(moment.timestamp()) * 1_000_000)


async def test_the_inventory_says_what_both_models_of_a_vendor_are(admin: Admin) -> None:
    """The orchestrator is another model, with other prices."""
    row = await row_of(admin, "deepseek")
    specialist, orchestrator = row.model_facts, row.orchestrator_model_facts
    assert specialist is not None
    assert orchestrator is not None
    assert specialist.prices is not None
    assert orchestrator.prices is not None
    assert specialist.context_window_source == "table"
    assert (orchestrator.prices.input or 0) > (specialist.prices.input or 0)


@pytest.mark.parametrize("provider", ["ollama", "vllm"])
async def test_a_local_model_has_neither_price_nor_retirement(admin: Admin, provider: str) -> None:
    """Nothing is inferred from its name."""
    row = await row_of(admin, provider)
    assert row.model_facts is not None
    assert (row.model_facts.prices, row.model_facts.retires_on) == (None, None)


async def test_a_gateways_model_has_neither_price_nor_retirement(database_file: Path) -> None:
    """Whoever serves a vendor's name has prices of its own, and keeps a model for longer."""
    model, _ = first_to_retire("openai")
    boot = settings(
        database_file.parent,
        AURORA_SECRET_KEY=SEED,
        LLM_OPENAI_COMPATIBLE_BASE_URL="https://gateway.example.com/v1",
        LLM_OPENAI_COMPATIBLE_MODEL=model,
    )
    async with open_runtime(boot, kind=None) as runtime:
        row = await row_of(runtime.admin, "openai")
    assert row.model_facts is not None
    assert (row.model_facts.prices, row.model_facts.retires_on) == (None, None)
    assert "model_retired" not in {problem.code for problem in row.problems}


async def test_a_model_of_a_vendor_with_a_known_address_has_all(database_file: Path) -> None:
    """On a connection of any name: window, price, and its end."""
    model, day = first_to_retire("together_ai")
    prefix = "LLM_CONNECTION_HIRED_"
    variables = {
        f"{prefix}PROVIDER": "openai",
        f"{prefix}BASE_URL": "https://api.together.ai/v1",
        f"{prefix}MODEL": model,
        f"{prefix}API_KEY": API_KEY,
    }
    boot = settings(database_file.parent, AURORA_SECRET_KEY=SEED, **variables)
    async with open_runtime(boot, kind=None) as runtime:
        rows = (await on(runtime.admin, day).inventory()).providers
    row = next(row for row in rows if row.connection == "hired")
    assert row.model_facts is not None
    assert row.model_facts.context_window_source == "table"
    assert row.model_facts.retires_on == day.isoformat()
    assert ([problem.code for problem in row.problems], row.ready) == (["model_retired"], True)


async def test_what_a_test_learnt_of_the_window_is_shown(admin: Admin) -> None:
    """It wins over the table, for that model only."""
    reference = model_reference(admin.adoption.snapshot, GEMINI, "specialist")
    keep_window(reference, ContextWindow(1_048_576, "table"))  # as an investigation does
    tested = Capabilities(context_window=32_000)
    admin.pool.sites.learned.learn(Lesson(Place.of(reference), capabilities=tested))
    facts = (await row_of(admin, "gemini")).model_facts
    assert facts is not None
    assert (facts.context_window, facts.context_window_source) == (32_000, "test")
    assert facts.prices is not None


async def test_a_model_that_retires_soon_is_a_warning(admin: Admin) -> None:
    """In its row, in what is active, and in the answer to the change that chose it."""
    model, day = first_to_retire("gemini")
    admin = on(admin, day - timedelta(days=60))
    answer = await admin.switch(config_request("gemini", model=model), actor="alice")
    inventory = await admin.inventory()
    row = await row_of(admin, "gemini")
    for shown in (answer.active, answer.provider, inventory.active, row):
        assert shown is not None
        assert (shown.ready, shown.problems) == (True, ())
        assert [warning.code for warning in shown.warnings] == ["model_retires"]
    assert (await row_of(on(admin, day - timedelta(days=61)), "gemini")).warnings == ()


async def test_a_model_that_has_retired_is_a_problem_and_stops_no_call(admin: Admin) -> None:
    """The vendor may serve it for longer than it said."""
    model, day = first_to_retire("gemini")
    await admin.switch(config_request("gemini", model=model), actor="alice")
    admin = on(admin, day)
    row, active = await row_of(admin, "gemini"), (await admin.inventory()).active
    for shown in (row, active):
        assert [problem.code for problem in shown.problems] == ["model_retired"]
        assert (shown.ready, shown.warnings) == (True, ())
    assert model_reference(admin.adoption.snapshot, GEMINI, "specialist").model == model


def test_the_table_is_read_without_importing_litellm() -> None:
    """That import takes seconds, and may fetch another table."""
    program = (
        "import sys\n"
        "from aurorasoc.llm.wire.libraries.litellm_table import row_of\n"
        "assert row_of('openai', 'gpt-4o')\n"
        "assert not {'litellm', 'openai', 'beeai_framework'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
