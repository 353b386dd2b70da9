"""What one process learns of a model, all of them know; the database may be away meanwhile."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from beeai_framework.backend.message import UserMessage
from sqlalchemy import update

from aurorasoc import get_chat_model
from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import LearnedRow
from aurorasoc.errors import DatabaseUnavailable
from aurorasoc.llm.models.learned_rows import KEPT_US, LearnedRows
from aurorasoc.llm.wire.asking.learned import (
    MAX_PLACES,
    Capabilities,
    Knowledge,
    Learned,
    Lesson,
    Place,
    Refusable,
)
from aurorasoc.runtime import open_runtime
from tests.component.live import table_away, until, variable
from tests.examples import settings
from tests.world.databases import ON_BOTH
from tests.world.picky import PickyServer, refuses

PLACE: Final = Place("openai", "https://llm.example:443", "soc-reasoner")
SEED: Final = frozenset({Refusable.SEED})
TOP_P: Final = frozenset({Refusable.TOP_P})
FOUND: Final = Capabilities(chat=True, structured_output="json_object", asked_at="2026-11-27")
PING: Final[list[Any]] = [UserMessage("ping")]


class Process:
    """What one process knows, and its rows; the task that shares them doesn't run."""

    def __init__(self, database: Database) -> None:
        """Know nothing."""
        self.learned = Learned()
        self.rows = LearnedRows(database, self.learned)
        self.learned.on_lesson = self.rows._note

    async def shares(self, *lessons: Lesson) -> None:
        """Learn, and write it."""
        for lesson in lessons:
            self.learned.learn(lesson)
        await self.rows.write()

    async def knows(self) -> Knowledge:
        """Read, and return what is known of the model."""
        await self.rows.read()
        return self.learned.of(PLACE)


@ON_BOTH
async def test_lesson_of_one_process_is_known_to_others(database: Database) -> None:
    """Options that are refused, and what a test found."""
    one, other = Process(database), Process(database)
    await one.shares(Lesson(PLACE, refused=SEED), Lesson(PLACE, capabilities=FOUND))
    assert await other.knows() == Knowledge(SEED, FOUND)


@ON_BOTH
async def test_lessons_of_two_processes_add_up(database: Database) -> None:
    """Neither overwrites the other's."""
    one, other = Process(database), Process(database)
    await one.shares(Lesson(PLACE, refused=SEED))
    await other.shares(Lesson(PLACE, refused=TOP_P))
    assert (await one.knows()).refused == SEED | TOP_P


@ON_BOTH
async def test_what_one_process_forgets_all_forget(database: Database) -> None:
    """And what was learnt before is not written again with the next lesson."""
    one, other = Process(database), Process(database)
    await one.shares(Lesson(PLACE, refused=SEED))
    await other.knows()
    await one.shares(Lesson(PLACE, forget=True))
    await other.shares(Lesson(PLACE, refused=TOP_P))
    assert await other.knows() == Knowledge(TOP_P)


async def test_another_origin_or_model_is_not_known(database: Database) -> None:
    """What one refuses says nothing of another."""
    process = Process(database)
    await process.shares(Lesson(PLACE, refused=SEED))
    await process.rows.read()
    for field in ("provider", "origin", "model"):
        assert process.learned.of(replace(PLACE, **{field: "other"})) == Knowledge()


async def test_lesson_is_forgotten_after_a_month(database: Database) -> None:
    """The server may have learnt something, too."""
    process = Process(database)
    await process.shares(Lesson(PLACE, refused=SEED))
    async with database.transaction() as session:
        late = LearnedRow.learned_us - KEPT_US - 1
        await session.execute(update(LearnedRow).values(learned_us=late))
    await process.shares(Lesson(replace(PLACE, model="other"), refused=SEED))
    assert await process.knows() == Knowledge()


async def test_how_a_model_thinks_is_known_to_others_and_outlives_a_month(
    database: Database,
) -> None:
    """Its next stream would show thoughts; options that it refused are asked for anew."""
    process = Process(database)
    await process.shares(Lesson(PLACE, refused=SEED, thinks_untagged=True))
    assert await Process(database).knows() == Knowledge(SEED, thinks_untagged=True)
    async with database.transaction() as session:
        late = LearnedRow.learned_us - KEPT_US - 1
        await session.execute(update(LearnedRow).values(learned_us=late))
    await process.shares(Lesson(replace(PLACE, model="other"), refused=SEED))
    assert await process.knows() == Knowledge(thinks_untagged=True)


def test_how_a_model_thinks_is_forgotten_only_for_another_finding() -> None:
    """While a test asks anew, streams of others go on."""
    learned = Learned()
    learned.learn(Lesson(PLACE, refused=SEED, thinks_untagged=True))
    learned.learn(Lesson(PLACE, forget=True))
    assert learned.of(PLACE) == Knowledge(thinks_untagged=True)
    learned.learn(Lesson(PLACE, thinks_untagged=False))
    assert learned.of(PLACE) == Knowledge()


async def test_lesson_waits_while_the_database_is_away(database_file: Path) -> None:
    """It is known here all the time, and to others once the database is back."""
    database = Database(f"sqlite:///{database_file}")
    process = Process(database)
    async with table_away(database_file, "llm_learned"):
        with pytest.raises(DatabaseUnavailable):
            await process.shares(Lesson(PLACE, refused=SEED))
        assert process.learned.of(PLACE).refused == SEED
    await process.rows.write()
    assert (await Process(database).knows()).refused == SEED
    await database.close()


async def test_reading_does_not_undo_a_lesson_that_waits(database: Database) -> None:
    """It is newer than what is stored."""
    process = Process(database)
    process.learned.learn(Lesson(PLACE, refused=SEED))
    assert (await process.knows()).refused == SEED


async def test_names_of_a_newer_version_are_passed_over(database: Database) -> None:
    """It may know more options, and more of a model."""
    process = Process(database)
    row = {"refused": "seed,brightness", "capabilities": '{"chat": true, "sight": true}'}
    async with database.transaction() as session:
        place = {"provider": "openai", "origin": PLACE.origin, "model": PLACE.model}
        session.add(LearnedRow(**place, **row, learned_us=1))
    assert await process.knows() == Knowledge(SEED, Capabilities(chat=True))


def test_memory_is_bounded() -> None:
    """A name in a test call is a place of its own."""
    learned = Learned()
    for number in range(MAX_PLACES + 5):
        learned.learn(Lesson(replace(PLACE, model=str(number)), refused=SEED))
    assert len(learned._known) == MAX_PLACES
    assert learned.of(replace(PLACE, model="0")) == Knowledge()
    assert learned.of(replace(PLACE, model=str(MAX_PLACES))).refused == SEED


async def test_process_that_starts_later_sends_nothing_refused(
    libraries: None, tmp_path: Path, database_file: Path
) -> None:
    """The second runtime reads what the first one learnt."""
    del libraries, database_file
    with PickyServer(refuses("temperature")) as server:
        boot = settings(
            tmp_path,
            LLM_BACKEND="openai",
            AURORA_ALLOWED_HOSTS="127.0.0.1",
            **{
                variable("openai", "BASE_URL"): f"{server.url}/v1",
                variable("openai", "MODEL"): PLACE.model,
                variable("openai", "API_KEY"): "sk-test-0123456789",
            },
        )
        for _ in range(2):
            async with open_runtime(boot) as runtime:
                learned = runtime.pool.sites.learned
                if server.bodies:
                    await until(lambda known=learned: bool(known._known))  # type: ignore[misc]  # bound now
                await get_chat_model().run(PING, temperature=0)
        assert ["temperature" in body for body in server.bodies] == [True, False, False]


async def test_call_does_not_wait_for_the_database(database: Database) -> None:
    """Learning is a step in memory; the task is woken."""
    process = Process(database)
    process.learned.learn(Lesson(PLACE, refused=SEED))
    assert process.rows._wake.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}
