"""The conversations that a served agent remembers, bounded in number and in characters."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from beeai_framework.memory import BaseMemory, UnconstrainedMemory

KEPT: Final = 1_000
"""Conversations that are remembered; the longest unused are forgotten first."""

KEPT_CHARACTERS: Final = 67_108_864
"""Characters of all conversations."""

MAX_CONVERSATION: Final = 4_194_304
"""Characters of one conversation. A longer one is forgotten, and starts over."""

_Key = tuple[str, str]
"""A conversation's owner, and its context's id."""


class RecentConversations:
    """The most recently used conversations, in memory: by their owner and their context."""

    def __init__(self) -> None:
        self._memories: OrderedDict[_Key, BaseMemory] = OrderedDict()
        self._sizes: dict[_Key, int] = {}

    def use(self, owner: str, context_id: str) -> BaseMemory:
        """Return a conversation to continue, or to begin."""
        memory = self._memories.setdefault((owner, context_id), UnconstrainedMemory())
        self._memories.move_to_end((owner, context_id))
        return memory

    def remembers(self, owner: str, context_id: str) -> bool:
        """Return whether a conversation is remembered."""
        return (owner, context_id) in self._memories

    def settle(self, owner: str, context_id: str) -> None:
        """Measure a conversation that may have grown, and forget those beyond the limits."""
        key = (owner, context_id)
        memory = self._memories.get(key)
        if memory is not None:
            self._sizes[key] = len(context_id) + size_of(memory)
            if self._sizes[key] > MAX_CONVERSATION:
                self._forget(key)
        while self._memories and (
            len(self._memories) > KEPT or sum(self._sizes.values()) > KEPT_CHARACTERS
        ):
            self._forget(next(iter(self._memories)))

    def _forget(self, key: _Key) -> None:
        del self._memories[key]
        self._sizes.pop(key, None)


def size_of(memory: BaseMemory) -> int:
    """Measure a conversation by the characters of all its parts."""
    return sum(len(str(part)) for message in memory.messages for part in message.content)
