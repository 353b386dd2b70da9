"""The tasks that a served agent remembers: each its owner's, bounded in number and in bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from a2a.auth.user import User
from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import Artifact, ListTasksRequest, ListTasksResponse, Task

KEPT: Final = 1_000
"""Tasks that are remembered; the oldest are forgotten first."""

KEPT_BYTES: Final = 67_108_864
"""Bytes of all tasks, as the protocol's binary form has them."""


class RecentTasks(InMemoryTaskStore):
    """The most recent tasks, in memory. Each is its owner's: for others it isn't there."""

    def __init__(self) -> None:
        super().__init__(use_copying=False)
        self._sizes: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._total = 0

    async def save(self, task: Task, context: ServerCallContext) -> None:
        """Keep a task, and forget the oldest ones.

        The pieces of an artifact are joined in the given task itself, the run's own: else a long
        answer would be copied piece by piece, as often as it has pieces.
        """
        for artifact in task.artifacts:
            _join(artifact)
        await super().save(_copy(task), context)
        key = (context.user.user_name, task.id)
        self._total += task.ByteSize() - self._sizes.get(key, 0)
        self._sizes[key] = task.ByteSize()
        while len(self._sizes) > KEPT or (self._total > KEPT_BYTES and len(self._sizes) > 1):
            owner, oldest = next(other for other in self._sizes if other != key)
            await self.delete(oldest, ServerCallContext(user=_Owner(owner)))

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        """Return a task of the caller's; None for another's, as for an unknown one."""
        task = await super().get(task_id, context)
        return None if task is None else _copy(task)

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """Return a page of the caller's tasks, the newest first; the answer holds copies."""
        return await super().list(params, context)

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        """Forget a task of the caller's."""
        await super().delete(task_id, context)
        self._total -= self._sizes.pop((context.user.user_name, task_id), 0)


class _Owner(User):
    """Whoever owns a task that is forgotten."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return self._name


def _join(artifact: Artifact) -> None:
    """Make one part of the pieces of a text."""
    if len(artifact.parts) > 1:
        text = "".join(part.text for part in artifact.parts)
        del artifact.parts[1:]
        artifact.parts[0].text = text


def _copy(task: Task) -> Task:
    copy = Task()
    copy.CopyFrom(task)
    return copy
