"""What a change answers: what is in force after it, and what the fleet makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from aurorasoc.core.bodies import DEFERRED
from aurorasoc.core.clock import iso
from aurorasoc.llm.fleet.registry import FleetAdoption
from aurorasoc.llm.inventory import Active, ConnectionView

OldKeyUse = Literal["in_use", "ending", "unused", "unknown"]

_UNASKED: Final = ""
"""In place of a time: nothing was asked, and nothing is answered."""


@dataclass(frozen=True, slots=True)
class MutationAnswer:
    """What is in force after a change. `adoption` and the old key only if they were requested.

    Attributes:
        old_key: Who may still use the key that was replaced or removed. `in_use`: a live process
            that is pending; `ending`: only runs that began with it; `unused`: none; `unknown`:
            the fleet couldn't be read.
        old_key_last_used_at: When a live process last sent that key, as far as the fleet has
            reported; None: none has since it started.
        old_key_tags: What processes call that key.
    """

    __pydantic_config__: ClassVar = DEFERRED

    revision: int
    active: Active
    provider: ConnectionView | None
    adoption: Annotated[
        FleetAdoption | None, Field(exclude_if=lambda adoption: adoption is None)
    ] = None
    old_key: Annotated[OldKeyUse | None, Field(exclude_if=lambda use: use is None)] = None
    old_key_last_used_at: Annotated[str | None, Field(exclude_if=lambda at: at == _UNASKED)] = (
        _UNASKED
    )
    old_key_tags: Annotated[tuple[str, ...], Field(exclude=True)] = ()

    def adopted_by(
        self, adoption: FleetAdoption | None, last_sent_us: int | None = None
    ) -> MutationAnswer:
        """Return the answer with what the fleet makes of the change.

        Args:
            adoption: Who has adopted it; None: nobody asked.
            last_sent_us: When the old key was last sent.
        """
        old_key, last_used = self.old_key, iso(last_sent_us)
        if adoption is None:
            old_key = None
        elif old_key is not None and not adoption.adopted:
            old_key = "in_use" if adoption.pending else "unknown"
        if old_key is None:
            last_used = _UNASKED
        return replace(self, adoption=adoption, old_key=old_key, old_key_last_used_at=last_used)
