"""A call in its vendor's format, for tests that send none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aurorasoc.llm.wire.asking.request import ModelRequest

if TYPE_CHECKING:
    from aurorasoc.llm.wire.formats.translation import Translation


def translated(request: ModelRequest) -> Translation:
    """Translate a call; the fixture `libraries` has imported litellm by now, behind its guard."""
    from aurorasoc.llm.wire.formats import translation  # noqa: PLC0415 - imports litellm

    return translation(request)
