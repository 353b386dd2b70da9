"""Keeps the token from running out, and says so in time where it can't."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from aurorasoc.core.clock import iso, now_us
from aurorasoc.core.logs import get_logger
from aurorasoc.core.vault.answers import VaultProblem
from aurorasoc.core.vault.lease import Lease
from aurorasoc.core.vault.session import VaultSession
from aurorasoc.errors import SecretStoreUnavailable

RETRY_SECONDS: Final = 5.0

log = get_logger("aurorasoc.vault")


class TokenRenewal:
    """Renews the session's token about two thirds into its time.

    A token from a login is replaced by a new login where Vault grants no more time. A static one
    can't be replaced: that it will end is logged at once, and shown while a third of it is left.

    Args:
        session: Whose token it is.

    Attributes:
        ending: Whether a static token runs out soon, and nothing more can be done here.
    """

    def __init__(self, session: VaultSession) -> None:
        self._session = session
        self._known = session.can_log_in
        self.ending = False

    async def run(self) -> None:
        """Keep the token until cancelled."""
        while True:
            try:
                await self._next()
            except SecretStoreUnavailable as problem:
                log.warning("the token wasn't renewed", code=problem.code, detail=problem.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def _next(self) -> None:
        self._session.renewed.clear()
        if not self._known:
            await self._look_up()
        lease = self._session.lease
        if await self._falls_due(lease) and lease is not None:
            await self._extend(lease)

    async def _look_up(self) -> None:
        """Learn how long a static token holds; who must replace it hears of it from the start."""
        await self._session.look_up()
        self._known = True
        lease = self._session.lease
        if lease is not None and not lease.renewable:
            _warn(lease)

    async def _falls_due(self, lease: Lease | None) -> bool:
        """Wait until it is time, or until there is another lease."""
        pause = None if lease is None or self.ending else lease.renew_at - time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._session.renewed.wait()
                return False
        return True

    async def _extend(self, lease: Lease) -> None:
        if lease.renewable and await self._renewed():
            return
        if self._session.can_log_in:
            await self._session.log_in()
            return
        self.ending = True
        _warn(lease)

    async def _renewed(self) -> bool:
        """Renew; whatever keeps a login's token from that, another login may not meet."""
        try:
            return await self._session.renew()
        except VaultProblem:
            if self._session.can_log_in:
                return False
            raise


def _warn(lease: Lease) -> None:
    end = now_us() + round((lease.ends_at - time.monotonic()) * 1e6)
    log.warning("VAULT_TOKEN can't be renewed: replace it before it ends", ends=iso(end))
