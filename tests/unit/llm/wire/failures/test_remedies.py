"""Which failures another connection can mend: each class of failure is judged."""

from collections.abc import Iterator
from typing import Final

import pytest

from aurorasoc import errors
from aurorasoc.errors import ModelCallError
from aurorasoc.llm.models.handle import BadToolCall
from aurorasoc.llm.wire.failures.refusals import OptionRefused
from aurorasoc.llm.wire.failures.remedies import Remedy, remedy_for

JUDGED: Final[dict[type[ModelCallError], Remedy | None]] = {
    ModelCallError: None,
    errors.AnswerCut: None,
    errors.AuthFailed: "another",
    errors.BadResponse: "another",
    BadToolCall: None,
    errors.Blocked: "local",
    errors.ContextTooLong: "larger",
    errors.ContextTruncated: "larger",
    errors.CutBeforeAnswer: None,
    errors.EmptyAnswer: "another",
    errors.EndpointNotFound: None,
    errors.ModelNotFound: None,
    OptionRefused: None,
    errors.ProviderOverloaded: "another",
    errors.ProviderRateLimited: "another",
    errors.ProviderTimeout: "another",
    errors.ProviderUnreachable: "another",
    errors.QuotaExceeded: "another",
    errors.Refused: "local",
    errors.RequestRefused: None,
    errors.TlsError: "another",
    errors.ToolCallUnusable: None,
}


def _all(kind: type[ModelCallError]) -> Iterator[type[ModelCallError]]:
    yield kind
    for more in kind.__subclasses__():
        yield from _all(more)


def test_every_class_of_failure_is_judged() -> None:
    """A new one is added here by whoever thought about it."""
    ours = {kind for kind in _all(ModelCallError) if kind.__module__.startswith("aurorasoc.")}
    assert ours == JUDGED.keys()


@pytest.mark.parametrize("kind", JUDGED, ids=lambda kind: kind.__name__)
def test_a_failure_is_mended_as_judged(kind: type[ModelCallError]) -> None:
    """By its class alone: nothing of a provider's text decides where a call goes."""
    assert remedy_for(kind.__new__(kind)) == JUDGED[kind]
