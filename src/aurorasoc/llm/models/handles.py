"""The live handles of a process, by who asks and with which label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast, get_args

from aurorasoc.config.vocabulary import Role, Tlp, is_agent_name
from aurorasoc.errors import InvalidInput

if TYPE_CHECKING:
    from aurorasoc.llm.models.handle import LiveChatModel


class Handles(dict[tuple[str, str | None, str | None], "LiveChatModel"]):
    """Handles by role, label and agent, made on first use."""

    def __init__(self, make: Callable[[Role, Tlp | None, str | None], LiveChatModel]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: tuple[str, str | None, str | None]) -> LiveChatModel:
        role, label, agent = key
        if role not in get_args(Role):
            detail = f"role must be one of: {', '.join(get_args(Role))}."
            raise InvalidInput(detail)
        if agent is not None and not is_agent_name(agent):
            detail = "agent must be a name such as malware-analyst: a-z, 0-9 and -, up to 64."
            raise InvalidInput(detail)
        handle = self._make(cast("Role", role), parse_tlp(label), agent)
        self[key] = handle
        return handle


def parse_tlp(label: str | None) -> Tlp | None:
    """Read a TLP 2.0 label.

    Raises:
        InvalidInput: There is no such label.
    """
    labels = [t.value for t in Tlp if t is not Tlp.NONE]
    if label is None:
        return None
    if label not in labels:
        detail = f"tlp must be one of: {', '.join(labels)}."
        raise InvalidInput(detail)
    return Tlp(label)
