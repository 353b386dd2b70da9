"""A fleet without a process: rows as processes would have written them, and this one's view."""

from aurorasoc.core.database.engine import Database
from aurorasoc.core.database.tables import InstanceRow, RevisionRow, RuntimeConfigRow
from aurorasoc.llm.adoption.adopt import Adoption


async def write_revision(database: Database, revision: int) -> None:
    """Commit a revision as another process does."""
    async with database.transaction() as session:
        at = await database.clock(session)
        await session.merge(RuntimeConfigRow(id=1, revision=revision))
        session.add(
            RevisionRow(revision=revision, at_us=at, actor="a", action="b", target="c", config="{}")
        )


async def report(database: Database, adoption: Adoption, instance: str, **changes: object) -> None:
    """Write the row of a process that runs what this one runs, but for `changes`.

    `age` is how many seconds ago it was last heard of.
    """
    age = changes.pop("age", 0)
    assert isinstance(age, (int, float))
    async with database.transaction() as session:
        now = await database.clock(session)
        row = {
            "kind": "agent",
            "name": "triage",
            "host": "h",
            "revision": adoption.snapshot.revision,
            "fingerprint": adoption.snapshot.fingerprint,
            "adopted_us": now,
            "feed": "data_version",
            "key_ids": "",
            "seen_us": now - round(age * 1e6),
        }
        await session.merge(InstanceRow(instance=instance, **(row | changes)))
