"""Whose rows a transaction sees, and how a service finds out that it would see too many."""

import uuid

import asyncpg
import pytest

from deploy.local.servers.postgres import EmbeddedPostgres
from shared.errors import AccessRefused, MigrationFailed, StartupFailed
from shared.postgres.database import Database
from shared.postgres.migrations import migrate
from shared.postgres.tenants import EVERY_TENANT, SERVICES_ROLE, across_tenants
from shared.process.application import Application
from shared.process.service_context import ServiceContext
from tests.plugins.embedded import superuser_url
from tests.support.infrastructure.service_contexts import probe_settings, serving_application

SPAN = """
    INSERT INTO telemetry.spans (trace_id, span_id, service, name, kind, started_at, ended_at,
                                 status, attributes, links)
    VALUES ($1, $2, 'probe', 'said', 'INTERNAL', now(), now(), 'OK',
            jsonb_build_object('archon.tenant.id', $3::text), '[]')
"""
OWNERS = "SELECT DISTINCT tenant_id FROM telemetry.spans ORDER BY 1"


@pytest.fixture
async def database(empty_database_url: str):
    """One connection for everybody, and a row of two tenants."""
    await migrate(empty_database_url, "probe")
    database = Database(empty_database_url, "probe", pool_size=1, role=SERVICES_ROLE)
    await database.open(timeout_seconds=5)
    for tenant_id in ("alpha", "beta"):
        async with database.transaction(tenant_id) as tx:
            await tx.execute(SPAN, "a" * 32, tenant_id, tenant_id)
    yield database
    await database.close()


async def owners(tx) -> list[str]:
    return [row["tenant_id"] for row in await tx.fetch(OWNERS)]


async def test_a_pooled_connection_drops_its_tenant(database: Database) -> None:
    pids = set()
    for tenant_id in ("alpha", "beta", "alpha"):
        async with database.transaction(tenant_id) as tx:
            assert await owners(tx) == [tenant_id]
            pids.add(await tx.fetchval("SELECT pg_backend_pid()"))
        async with database.transaction() as tx:
            assert await owners(tx) == []
        async with database.connection() as connection:
            assert await owners(connection) == []
    assert len(pids) == 1


async def test_a_transaction_that_fails_leaves_no_tenant_behind(database: Database) -> None:

    async def fail() -> None:
        async with database.across_tenants() as tx:
            assert await owners(tx) == ["alpha", "beta"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.connection() as connection:
        assert await owners(connection) == []


async def test_a_look_across_tenants_ends_with_its_block(database: Database) -> None:
    async with database.transaction("alpha") as tx:
        async with across_tenants(tx):
            assert await owners(tx) == ["alpha", "beta"]
        assert await owners(tx) == ["alpha"]
    async with database.transaction() as tx:
        async with across_tenants(tx):
            assert await owners(tx) == ["alpha", "beta"]
        assert await owners(tx) == []


async def test_an_error_in_a_look_across_tenants_is_the_one_that_is_raised(
    database: Database,
) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.transaction("alpha") as tx, across_tenants(tx):
            await tx.execute("SELECT 1 FROM nowhere")


async def test_a_python_error_in_a_look_across_tenants_ends_it_too(database: Database) -> None:
    async with database.transaction("alpha") as tx:
        with pytest.raises(ZeroDivisionError):
            async with across_tenants(tx):
                raise ZeroDivisionError
        assert await owners(tx) == ["alpha"]


async def test_nobody_enters_all_tenants_by_a_name(database: Database) -> None:
    with pytest.raises(AccessRefused):
        async with database.transaction(EVERY_TENANT):
            pytest.fail("it began")


async def test_a_span_has_its_place_per_tenant(database: Database) -> None:
    async with database.transaction("alpha") as tx:
        await tx.execute(SPAN, "a" * 32, "beta", "alpha")
    async with database.across_tenants() as tx:
        assert await tx.fetchval("SELECT count(*) FROM telemetry.spans") == 3


@pytest.mark.parametrize("role", [None, "archon"])
async def test_a_service_that_no_policy_binds_does_not_start(
    empty_database_url: str, kafka: str, role: str | None
) -> None:
    await migrate(empty_database_url, "probe")
    settings = probe_settings(empty_database_url, kafka, database_role=role)
    with pytest.raises(StartupFailed, match=r"telemetry\.spans: no policy keeps tenants apart"):
        await Application(ServiceContext.build(settings)).serve()


async def test_a_role_that_is_not_there_is_one_clear_sentence(empty_database_url: str) -> None:
    database = Database(empty_database_url, "probe", role="nobody_made_me")
    with pytest.raises(StartupFailed, match=r"ARCHON_DATABASE_ROLE nobody_made_me .*archon setup"):
        await database.open(timeout_seconds=1)


async def test_a_role_that_the_login_may_not_make_is_one_clear_sentence(
    empty_database_url: str,
) -> None:
    role = f"role_{uuid.uuid4().hex}"
    with pytest.raises(MigrationFailed, match=f"as a superuser: CREATE ROLE {role} NOLOGIN"):
        await migrate(empty_database_url, "probe", role=role)


async def test_a_table_that_comes_later_is_protected_by_the_next_setup(
    empty_database_url: str,
) -> None:
    await migrate(empty_database_url, "probe")
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute("CREATE TABLE probe.late (tenant_id text NOT NULL, n int)")
    await connection.execute("INSERT INTO probe.late VALUES ('alpha', 1), ('beta', 2)")
    await migrate(empty_database_url, "probe")
    await connection.execute(f"SET ROLE {SERVICES_ROLE}; SET archon.tenant_id = 'beta'")

    assert await connection.fetchval("SELECT array_agg(n) FROM probe.late") == [2]
    await connection.close()


async def test_a_login_that_is_only_a_member_of_the_role_is_enough_for_a_service(
    postgres: EmbeddedPostgres, empty_database_url: str, kafka: str
) -> None:
    role, login = (f"{kind}_{uuid.uuid4().hex}" for kind in ("role", "login"))
    superuser = await asyncpg.connect(of_superuser(postgres, empty_database_url))
    try:
        await migrate(of_superuser(postgres, empty_database_url), "probe", role=role)
        await superuser.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'x'; GRANT {role} TO {login}")
        url = f"postgresql://{login}:x@{empty_database_url.partition('@')[2]}"
        service_context = ServiceContext.build(probe_settings(url, kafka, database_role=role))

        async with serving_application(service_context):
            assert service_context.health.started
            async with service_context.database.transaction("alpha") as tx:
                await tx.execute(SPAN, "a" * 32, "alpha", "alpha")
    finally:
        await superuser.execute(f"DROP SCHEMA probe, telemetry CASCADE; DROP OWNED BY {role}")
        await superuser.execute(f"DROP ROLE {login}; DROP ROLE {role}")
        await superuser.close()


def of_superuser(postgres: EmbeddedPostgres, url: str) -> str:
    """A database as the server's superuser sees it."""
    return f"{superuser_url(postgres).rpartition('/')[0]}/{url.rpartition('/')[2]}"
