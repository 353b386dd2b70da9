"""What a provider's JSON may hold: it is parsed and translated on the event loop.

A list or an object takes many times its bytes in memory, and LiteLLM up to 0.1 ms to translate.
"""

from __future__ import annotations

from typing import Any, Final

from aurorasoc.core import foreign_json
from aurorasoc.core.inbound.bodies import count_parts
from aurorasoc.llm.wire.failures.translate import AnswerTooLong

MAX_PARTS: Final = 10_000
"""Lists and objects of one answer, or of one event of a stream."""


def parsed(data: bytes) -> Any:  # noqa: ANN401 - the vendor's JSON
    """Parse an answer or an event.

    Raises:
        AnswerTooLong: It has more than `MAX_PARTS` lists and objects.
        ValueError: It isn't JSON.
    """
    if count_parts(data, MAX_PARTS) > MAX_PARTS:
        raise AnswerTooLong
    return foreign_json.parsed(data)
