"""The ATT&CK matrices that ship with the package."""

import re
from importlib.resources import files

from aurorasoc.workflows.investigation import attack


def test_the_matrix_is_complete() -> None:
    """Version 18: 83 techniques for ICS; 216 and 475 sub-techniques for Enterprise."""
    ids = attack.techniques()
    assert len(ids) == 83 + 216 + 475
    assert sum(id_.startswith("T0") for id_ in ids) == 83
    assert sum("." in id_ for id_ in ids) == 475


def test_every_id_has_its_form_and_a_name() -> None:
    """And each sub-technique has its technique."""
    for id_, name in attack.techniques().items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", id_)
        assert name == name.strip() != ""
        assert id_.partition(".")[0] in attack.techniques()


def test_ids_are_in_order() -> None:
    """A line that slipped would name the wrong technique."""
    assert list(attack.techniques()) == sorted(attack.techniques())


def test_known_ids_are_named_once_and_others_told_apart() -> None:
    """A model repeats itself, and invents."""
    ids = ["T1505.003", "T9999", "T1059", "T1505.003", "T9999"]
    assert attack.known(ids) == [
        attack.Technique("T1505.003", "Server Software Component: Web Shell"),
        attack.Technique("T1059", "Command and Scripting Interpreter"),
    ]
    assert attack.unknown(ids) == ["T9999"]


def test_ids_of_the_ics_matrix_are_known_and_made_up_ones_are_not() -> None:
    """The OT agent is told to map to ATT&CK for ICS; T0841 and T0875 were withdrawn."""
    ids = ["T0855", "T0831", "T0841", "T0875", "T0899"]
    assert attack.known(ids) == [
        attack.Technique("T0855", "Unauthorized Command Message"),
        attack.Technique("T0831", "Manipulation of Control"),
    ]
    assert attack.unknown(ids) == ["T0841", "T0875", "T0899"]


def test_the_licence_travels_with_the_data() -> None:
    """MITRE asks for that; its version is the one the code names."""
    text = (files(attack.__package__) / "attack.txt").read_text("utf-8")
    head = text.partition("\nT1001")[0]
    assert "The MITRE Corporation" in head
    assert "non-exclusive, royalty-free license" in head
    assert f"version {attack.ATTACK_VERSION}" in head
