"""What an open runtime knows: stored configuration, keys, store, connections, fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from aurorasoc.cli.doctor.finding import Finding, good, wrong
from aurorasoc.cli.inventory import inventory_of_fleet, is_stopped
from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.server import ServerSettings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.secret_store import SecretStore
from aurorasoc.errors import AuroraError, SecretStoreUnavailable
from aurorasoc.granite.hosted_stop import release_of, stopped_by
from aurorasoc.llm.fleet.hindrances import (
    AddressPolicyOf,
    connections_in_use,
    in_words,
    why_not_allowed,
)
from aurorasoc.llm.fleet.registry import FleetView, Member
from aurorasoc.llm.inventory import Active, ConnectionView, Inventory
from aurorasoc.llm.keys.doctor import Finding as KeyFinding
from aurorasoc.llm.keys.doctor import examine
from aurorasoc.runtime import Runtime, open_runtime


async def running_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Check what is stored, and what live processes report.

    Raises:
        AuroraError: The database went away meanwhile.
    """
    async with open_runtime(settings, kind=None) as runtime:
        stored = await stored_configuration(runtime)
        yield stored
        if not stored.healthy:
            return
        yield await secret_store(runtime.admin.changer.store)
        max_age = settings.llm.key_max_age
        for key in await examine(runtime.database, runtime.keyring, runtime.adoption, max_age):
            yield key_finding(key)
        snapshot = runtime.adoption.snapshot
        yield await allowed_hosts(snapshot, runtime.pool.sites.address_policy, settings.server)
        yield hosted_traffic(snapshot)
        for finding in connection_findings(await inventory_of_fleet(runtime)):
            yield finding
        for finding in fleet_findings(await runtime.fleet.look()):
            yield finding


async def stored_configuration(runtime: Runtime) -> Finding:
    """Check that what is stored can be put in force here."""
    try:
        snapshot = await runtime.adoption.adopt()
    except AuroraError as error:
        return wrong("stored configuration", "can't be put in force here", error.detail)
    return good("stored configuration", f"revision {snapshot.revision}")


def hosted_traffic(snapshot: Snapshot) -> Finding:
    """Say whether hosted traffic is stopped, by whom, and how it is allowed again."""
    if snapshot.stop is None:
        return good("hosted traffic", "allowed")
    stop = snapshot.stop
    return wrong("hosted traffic", stopped_by(stop), release_of(snapshot, stop))


async def secret_store(store: SecretStore) -> Finding:
    """Ask Vault for a key, where keys are in Vault; any answer will do."""
    if store.kind == "database":
        return good("secret store", "the database; Vault isn't configured")
    from aurorasoc.core.vault.store import VaultSecretStore  # noqa: PLC0415 - hvac costs 66 ms

    assert isinstance(store, VaultSecretStore)  # noqa: S101 - the one other kind
    try:
        await store.newest(ServingBackend.OPENAI.value)
    except SecretStoreUnavailable as problem:
        return wrong("secret store", f"Vault: {store.problem}", problem.detail)
    return good("secret store", "Vault answers")


def key_finding(key: KeyFinding) -> Finding:
    """Report a stored key as `aurorasoc keys doctor` does."""
    name = f"{key.kind} {key.name}"
    return good(name, key.state) if key.healthy else wrong(name, key.state, key.advice)


async def allowed_hosts(
    snapshot: Snapshot, address_policy: AddressPolicyOf, server: ServerSettings
) -> Finding:
    """Check that this process may reach the hosts of the connections in use."""
    for name in connections_in_use(snapshot):
        why = await why_not_allowed(snapshot, name, address_policy)
        if why is not None:
            cure = f"{why}. Every process needs the same value."
            return wrong("allowed hosts", f"{name} can't be reached from here", cure)
    allowed = ", ".join(server.allowed_hosts)
    return good("allowed hosts", allowed or "none beyond public addresses")


def connection_findings(inventory: Inventory) -> Iterator[Finding]:
    """Report each connection; one that nobody uses may lack what it likes."""
    if inventory.active.backend is None:
        yield _no_connection(inventory.active)
    policy, assignments = inventory.policy, inventory.assignments
    named = {*assignments.connections, *assignments.fallbacks, *policy.fallbacks}
    for row in inventory.providers:
        used = row.active or row.connection in named
        yield of_used(row) if used else of_unused(row)
    for warning in policy.warnings:
        if warning.code == "fallback_unknown":
            yield wrong("fallbacks", "one doesn't exist", warning.detail)


def _no_connection(active: Active) -> Finding:
    cure = " ".join(problem.detail for problem in active.problems)
    return wrong("active connection", f"{active.requested} leads to none", cure)


def of_used(row: ConnectionView) -> Finding:
    """Report a connection that calls go to."""
    name = f"connection {row.connection}"
    test = f"Run `aurorasoc providers test {row.connection}`"
    if row.problems:
        codes = ", ".join(problem.code for problem in row.problems)
        return wrong(name, codes, " ".join(problem.detail for problem in row.problems))
    advice = " ".join(warning.detail for warning in row.warnings)
    if is_stopped(row):
        return wrong(name, "not called while hosted traffic is stopped", advice)
    health = row.health
    if health.state in {"failing", "open", "probing"}:
        cure = f"{test}, which says what to do."
        ends = "failing" if health.state == "failing" else f"asked only now and then{health.where}"
        return wrong(name, f"{ends} since {health.since}: {health.code}", cure)
    if health.state == "unknown":
        return good(name, "not called yet", f"{test}. {advice}".rstrip())
    if health.where:
        return wrong(name, f"answering, but not asked{health.where}", f"{test}. {advice}".rstrip())
    return good(name, f"answering since {health.since}", advice or None)


def of_unused(row: ConnectionView) -> Finding:
    """Report a connection that no call goes to."""
    state = row.problems[0].code if row.problems else "configured"
    return good(f"connection {row.connection}", f"not in use, {state}")


def fleet_findings(view: FleetView) -> Iterator[Finding]:
    """Report each live process that doesn't run what is stored or can't call, or that all do."""
    strayed = [member for member in view.instances if member.state != "current"]
    hindered = [member for member in view.instances if member.hindrances]
    yield from map(_strayed, strayed)
    yield from map(_hindered, hindered)
    if not view.instances:
        yield good("fleet", "no live process", "Start one with `aurorasoc serve`.")
    elif not strayed and not hindered:
        yield good("fleet", f"{len(view.instances)} at revision {view.revision}")


def _hindered(member: Member) -> Finding:
    names = ", ".join(dict.fromkeys(one.connection or "anything" for one in member.hindrances))
    place = f"{member.name} on {member.host}"
    return wrong(
        f"fleet {member.instance}", f"{place} can't call {names}", in_words(member.hindrances)
    )


def _strayed(member: Member) -> Finding:
    if member.state == "behind":
        cure = "Wait a minute; if it stays behind, see its log, and restart it."
    else:
        cure = "Give it the environment and the seeds that this shell has, and restart it."
        named = [one.variable or one.setting for one in member.differences]
        if named:
            cure += f" It has another {', '.join(named)}."
    name = f"fleet {member.instance}"
    place = f"{member.name} on {member.host}"
    return wrong(name, f"{place} is {member.state} at revision {member.revision}", cure)
