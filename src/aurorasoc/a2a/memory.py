"""What a served agent remembers: tasks and conversations, bounded in number and in bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from a2a.server.context import ServerCallContext
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import Task
from beeai_framework.memory import BaseMemory

from aurorasoc.a2a.callers import owner_of

KEPT: Final = 1_000
"""Tasks, and conversations, that are remembered; the oldest are forgotten first."""

KEPT_BYTES: Final = 67_108_864
"""Bytes of all tasks, and of all conversations, measured by their text."""

MAX_CONVERSATION: Final = 4_194_304
"""Characters of one conversation. A longer one is forgotten, and starts over."""


_Key = tuple[str, str]
"""A conversation's owner, and its context's id."""


class RecentTasks(InMemoryTaskStore):
    """The most recent tasks, in memory. Each is its owner's: for others it isn't there."""

    def __init__(self) -> None:
        super().__init__()
        self._owners: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0

    async def get(self, task_id: str, context: ServerCallContext | None = None) -> Task | None:
        """Return a task of the caller's; None for another's, as for an unknown one."""
        if self._owners.get(task_id) != owner_of(context):
            return None
        return await super().get(task_id, context)

    async def save(self, task: Task, context: ServerCallContext | None = None) -> None:
        """Keep a task for its first caller, and forget the oldest ones."""
        self._owners.setdefault(task.id, owner_of(context))
        await super().save(task, context)
        self._measure(task.id, len(task.model_dump_json()))
        while len(self.tasks) > KEPT or (self._total > KEPT_BYTES and len(self.tasks) > 1):
            oldest = next(name for name in self.tasks if len(self.tasks) == 1 or name != task.id)
            del self.tasks[oldest]
            self._measure(oldest, 0)

    async def delete(self, task_id: str, context: ServerCallContext | None = None) -> None:
        """Forget a task of the caller's."""
        if self._owners.get(task_id) == owner_of(context):
            await super().delete(task_id, context)
            self._measure(task_id, 0)

    def _measure(self, name: str, size: int) -> None:
        self._total += size - self._sizes.pop(name, 0)
        if size:
            self._sizes[name] = size
        else:
            self._owners.pop(name, None)


class RecentConversations:
    """The most recently used conversations, in memory: by their owner and their context."""

    def __init__(self) -> None:
        self._memories: OrderedDict[_Key, BaseMemory] = OrderedDict()
        self._sizes: dict[_Key, int] = {}

    def of(self, owner: str) -> OwnConversations:
        """Return one owner's conversations."""
        return OwnConversations(self, owner)

    def begin(self, key: _Key, memory: BaseMemory) -> None:
        """Begin a conversation."""
        self._memories[key] = memory
        self.settle(key)

    def used(self, key: _Key) -> BaseMemory:
        """Return a conversation to continue."""
        self._memories.move_to_end(key)
        return self._memories[key]

    def remembers(self, key: _Key) -> bool:
        """Return whether a conversation is remembered."""
        return key in self._memories

    def settle(self, key: _Key) -> None:
        """Measure a conversation that has grown, and forget those beyond the limits."""
        memory = self._memories.get(key)
        if memory is not None:
            self._sizes[key] = len(key[1]) + size_of(memory)
            if self._sizes[key] > MAX_CONVERSATION:
                self._forget(key)
        while self._memories and (
            len(self._memories) > KEPT or sum(self._sizes.values()) > KEPT_BYTES
        ):
            self._forget(next(iter(self._memories)))

    def _forget(self, key: _Key) -> None:
        del self._memories[key]
        self._sizes.pop(key, None)


class OwnConversations:
    """BeeAI's memory of each context of one owner."""

    def __init__(self, all_: RecentConversations, owner: str) -> None:
        self._all = all_
        self._owner = owner

    async def set(self, key: str, value: BaseMemory) -> None:
        """Begin a conversation."""
        self._all.begin((self._owner, key), value)

    async def get(self, key: str) -> BaseMemory:
        """Return a conversation to continue."""
        return self._all.used((self._owner, key))

    async def contains(self, key: str) -> bool:
        """Return whether a conversation is remembered."""
        return self._all.remembers((self._owner, key))

    def settle(self, key: str | None) -> None:
        """Measure a conversation that has grown, and forget those beyond the limits."""
        self._all.settle((self._owner, key or ""))


def size_of(memory: BaseMemory) -> int:
    """Measure a conversation by the characters of all its parts."""
    return sum(len(str(part)) for message in memory.messages for part in message.content)
