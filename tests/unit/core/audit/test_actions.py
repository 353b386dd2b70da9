"""The actions of the audit log, as one reads them."""

from aurorasoc.core.audit.actions import Action


def test_actions_stand_in_alphabetical_order() -> None:
    """A new one has one place."""
    assert list(Action.__members__) == sorted(Action.__members__)
