"""What ends a pin when its connection becomes another one."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from aurorasoc.config.hosted_traffic import HostedTraffic
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.errors import HostedStopped, ProviderNotReady, TlpRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.backend_resolution import model_reference
from aurorasoc.granite.base_url import origin_of
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig
from aurorasoc.llm.models.pins import became_restricted, require_key, require_unrestricted
from tests.examples import API_KEY, settings, snapshot, stored_key

EU: Final = "https://eu.example/v1"
LAB: Final = "http://127.0.0.1:18001/v1"
AZURE: Final = ConnectionChoice("m", None, EU, ServingBackend.OPENAI, max_tlp="AMBER")
VLLM: Final = ConnectionChoice("m", None, LAB, ServingBackend.VLLM)


def _with(folder: Path, choice: ConnectionChoice) -> Snapshot:
    origin = origin_of(str(choice.base_url))
    stored = StoredConfig(providers={"site": choice})
    return snapshot(settings(folder), stored, {"site": stored_key(API_KEY, origin=origin)})


def _stopped(folder: Path, choice: ConnectionChoice) -> Snapshot:
    return replace(_with(folder, choice), hosted_traffic=HostedTraffic("stopped"))


def _pinned(folder: Path, choice: ConnectionChoice) -> ModelReference:
    return model_reference(_with(folder, choice), "site", "specialist")


def test_a_name_that_another_provider_has_now_ends_a_pin(tmp_path: Path) -> None:
    """The connection was removed: what is allowed on the new one says nothing of the old one."""
    anew = replace(VLLM, max_tlp="RED")
    with pytest.raises(ProviderNotReady, match="site was removed"):
        require_key(_with(tmp_path, anew), _pinned(tmp_path, AZURE))


def test_a_ceiling_of_a_new_address_is_none_of_the_old_one(tmp_path: Path) -> None:
    """At the old one, a pinned run has the policy's ceiling, too."""
    pinned = _pinned(tmp_path, AZURE)
    moved = _with(tmp_path, replace(AZURE, base_url="https://us.example/v1", max_tlp="RED"))
    assert not became_restricted(moved, pinned, Tlp.GREEN)
    with pytest.raises(TlpRefused):
        became_restricted(moved, pinned, Tlp.AMBER)


def test_a_local_servers_pin_proves_its_old_address_once_it_moved(tmp_path: Path) -> None:
    """Its ceiling let it go without proof, and is another address's now."""
    pinned = _pinned(tmp_path, replace(VLLM, max_tlp="RED"))
    same = _with(tmp_path, replace(VLLM, max_tlp="RED"))
    moved = _with(tmp_path, replace(VLLM, max_tlp="RED", base_url="http://127.0.0.1:18002/v1"))
    assert not became_restricted(same, pinned, Tlp.RED)
    assert became_restricted(moved, pinned, Tlp.RED)


@pytest.mark.parametrize("label", [None, Tlp.CLEAR, Tlp.AMBER])
def test_a_stop_breaks_a_hosted_pin_whatever_its_label(tmp_path: Path, label: Tlp | None) -> None:
    """Its own ceiling allows the label; the stop doesn't ask for one."""
    with pytest.raises(HostedStopped):
        became_restricted(_stopped(tmp_path, AZURE), _pinned(tmp_path, AZURE), label)


def test_a_stop_makes_a_local_pin_prove_where_it_goes(tmp_path: Path) -> None:
    """It isn't refused: nothing leaves unless it is shown to be local."""
    choice = replace(VLLM, max_tlp="RED")
    stopped, pinned = _stopped(tmp_path, choice), _pinned(tmp_path, choice)
    assert became_restricted(stopped, pinned, None)
    require_unrestricted(stopped, pinned, None)
