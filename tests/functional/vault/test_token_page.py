"""The settings page says that a token runs out, to whoever can replace it."""

import time
from pathlib import Path
from typing import Final

from playwright.sync_api import BrowserContext

from tests.functional.page.conftest import context
from tests.functional.page.visit import Visit
from tests.world.chromium import browser, chromium_program
from tests.world.service import Service
from tests.world.vault.members import House

__all__ = ["browser", "chromium_program", "context"]  # pytest finds the fixtures here

SECONDS: Final = 15


def test_a_token_that_runs_out_is_on_the_page(
    context: BrowserContext, house: House, tmp_path: Path
) -> None:
    """While Vault still takes it."""
    token = house.vault.token(house.mount, "default", ttl=f"{SECONDS}s", renewable=False)
    vault = {"VAULT_ADDR": house.vault.url, "VAULT_TOKEN": token, "VAULT_KV_MOUNT": house.mount}
    end = time.monotonic() + SECONDS
    with Service(tmp_path, vault) as service:
        while service.inventory()["secret_store"]["problem"] is None:
            assert time.monotonic() < end, "it ended unannounced"
            time.sleep(0.1)
        visit = Visit(context, service)
        visit.sign_in()
        visit.says("Vault's token runs out soon")
