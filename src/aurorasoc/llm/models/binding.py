"""The model that a handle is bound to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aurorasoc.config.vocabulary import Role, Tlp
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asker import Asker

if TYPE_CHECKING:
    from beeai_framework.backend.chat import ChatModel


@dataclass(frozen=True, slots=True)
class Binding:
    """A built model, and what it was built for.

    Attributes:
        model: The ChatModel that takes the calls.
        reference: Provider, model name, address and key.
        revision: The revision of its configuration.
        role: The requested role.
        tlp: The label of the data it may see.
        restricted: Whether each call must first prove that it stays local.
        agent: The agent that asks, if one does.
    """

    model: ChatModel
    reference: ModelReference
    revision: int
    role: Role
    tlp: Tlp | None
    restricted: bool
    agent: str | None = None

    @property
    def asker(self) -> Asker:
        """Who asks, and with what label."""
        return Asker(self.role, self.tlp, self.agent)
