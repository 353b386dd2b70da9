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

PATIENCE: Final = 60.0
LEFT: Final = 300
"""Seconds: less than the share of its time at which the page warns, more than a test takes."""

# The token may see how long it has, and may not ask for more.
LOOK: Final = 'path "auth/token/lookup-self" { capabilities = ["read"] }'


def test_a_token_that_runs_out_is_on_the_page(
    context: BrowserContext, house: House, tmp_path: Path
) -> None:
    """While Vault still takes it."""
    house.vault.write_policy("look", LOOK)
    token = house.vault.token(house.mount, "look", ttl="1h", no_default_policy=True)
    house.vault.shorten(token, LEFT)
    vault = {"VAULT_ADDR": house.vault.url, "VAULT_TOKEN": token, "VAULT_KV_MOUNT": house.mount}
    with Service(tmp_path, vault) as service:
        end = time.monotonic() + PATIENCE
        while service.inventory()["secret_store"]["problem"] is None:
            assert time.monotonic() < end, "the service doesn't say that it ends"
            time.sleep(0.1)
        visit = Visit(context, service)
        visit.sign_in()
        visit.says("Vault's token runs out soon")
