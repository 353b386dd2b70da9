"""What a served agent remembers: tasks and conversations, bounded in number and in bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import Task
from beeai_framework.memory import BaseMemory

KEPT: Final = 1_000
"""Tasks, and conversations, that are remembered; the oldest are forgotten first."""

KEPT_BYTES: Final = 67_108_864
"""Bytes of all tasks, and of all conversations, measured by their text."""

MAX_CONVERSATION: Final = 4_194_304
"""Characters of one conversation. A longer one is forgotten, and starts over."""


class RecentTasks(InMemoryTaskStore):
    """The most recent tasks, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[str, int] = {}
        self._total = 0

    async def save(self, task: Task, context: ServerCallContext | None = None) -> None:
        """Keep a task, and forget the oldest ones."""
        await super().save(task, context)
        self._measure(task.id, len(task.model_dump_json()))
        while len(self.tasks) > KEPT or (self._total > KEPT_BYTES and len(self.tasks) > 1):
            oldest = next(name for name in self.tasks if len(self.tasks) == 1 or name != task.id)
            del self.tasks[oldest]
            self._measure(oldest, 0)

    async def delete(self, task_id: str, context: ServerCallContext | None = None) -> None:
        """Forget a task."""
        await super().delete(task_id, context)
        self._measure(task_id, 0)

    def _measure(self, name: str, size: int) -> None:
        self._total += size - self._sizes.pop(name, 0)
        if size:
            self._sizes[name] = size


class RecentConversations:
    """BeeAI's memory of each context; the most recently used ones stay."""

    def __init__(self) -> None:
        self._memories: OrderedDict[str, BaseMemory] = OrderedDict()
        self._sizes: dict[str, int] = {}

    async def set(self, key: str, value: BaseMemory) -> None:
        """Begin a conversation."""
        self._memories[key] = value
        self.settle(key)

    async def get(self, key: str) -> BaseMemory:
        """Return a conversation to continue."""
        self._memories.move_to_end(key)
        return self._memories[key]

    async def contains(self, key: str) -> bool:
        """Return whether a conversation is remembered."""
        return key in self._memories

    def settle(self, key: str | None) -> None:
        """Measure a conversation that has grown, and forget those beyond the limits."""
        memory = self._memories.get(key or "")
        if key is not None and memory is not None:
            self._sizes[key] = len(key) + size_of(memory)
            if self._sizes[key] > MAX_CONVERSATION:
                self._forget(key)
        while self._memories and (
            len(self._memories) > KEPT or sum(self._sizes.values()) > KEPT_BYTES
        ):
            self._forget(next(iter(self._memories)))

    def _forget(self, key: str) -> None:
        del self._memories[key]
        self._sizes.pop(key, None)


def size_of(memory: BaseMemory) -> int:
    """Measure a conversation by the characters of all its parts."""
    return sum(len(str(part)) for message in memory.messages for part in message.content)
