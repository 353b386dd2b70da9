"""Which label a request's data has, and whether its caller may send such data."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from aurorasoc.config.vocabulary import Tlp, TlpLabel
from aurorasoc.core.access.principal import Principal
from aurorasoc.errors import TlpRefused

LabelHeader = Annotated[
    list[TlpLabel] | None,
    Header(
        alias="X-TLP",
        max_length=1,
        description="TLP 2.0 label of what is sent. Without it, a client's `max_tlp` counts.",
    ),
]
"""A list, so that a second header is refused, not overlooked."""


def label_for(caller: Principal, sent: list[TlpLabel] | None) -> str | None:
    """Return the label of a request's data; None: it has none.

    Args:
        caller: Who sends it.
        sent: The label that they say.

    Raises:
        TlpRefused: It is above what the caller may send.
    """
    ceiling = caller.max_tlp
    if ceiling is None:
        return sent[0] if sent else None
    if not sent:
        return None if ceiling is Tlp.NONE else ceiling.value
    if Tlp(sent[0]).rank > ceiling.rank:
        detail = f"This client may send data up to {ceiling}. X-TLP says {sent[0]}."
        raise TlpRefused(detail)
    return sent[0]
