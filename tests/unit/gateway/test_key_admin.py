"""API keys over the API: who may make which, for whom, and end which."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from archon_contracts.identifiers import new_id
from services.gateway.auth.credentials import ALL_SCOPES, Caller, Scope, hash_key
from services.gateway.auth.request_identity import identify_request
from services.gateway.domain import NewKey
from services.gateway.errors import Conflict, Invalid, NotAllowed, NotFound
from services.gateway.key_admin import KeyAdministration, resolve_tenant
from services.gateway.requests import KeyRequest
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.gateway.keys import InMemoryKeyStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TX = object()
ADMIN = Caller("acme", "admin", frozenset({Scope.ADMIN, Scope.READ, Scope.FEEDBACK}), new_id())
OPERATOR = Caller("default", "bootstrap", ALL_SCOPES, new_id())


class KeyAdministrationFixture:
    """Keys in memory, and their administration."""

    def __init__(self) -> None:
        self.clock = SetClock(NOON)
        self.store = InMemoryKeyStore(self.clock)
        self.audit = RecordingAudit()
        self.administration = KeyAdministration(self.store, self.audit, self.clock, max_keys=3)

    async def make(
        self, caller: Caller = ADMIN, request_id: UUID | None = None, **request_body: object
    ) -> NewKey:
        body = KeyRequest.model_validate({"name": "agent", "scopes": ["feedback"]} | request_body)
        return await self.administration.create_key(TX, identify_request(caller, request_id), body)


@pytest.fixture
def office() -> KeyAdministrationFixture:
    return KeyAdministrationFixture()


async def test_a_key_is_shown_once_and_has_the_requested_scopes(
    office: KeyAdministrationFixture,
) -> None:
    made = await office.make(scopes=["feedback", "read"])

    found = await office.store.find_key(TX, hash_key(made.key))
    listed = await office.administration.list_keys(TX, ADMIN, tenant_id=None, limit=10)
    assert found is not None
    assert found.caller == Caller("acme", "agent", frozenset({Scope.FEEDBACK, Scope.READ}), made.id)
    assert listed[0].created_by == ADMIN.key_id
    assert made.key not in listed[0].model_dump_json()
    assert not hasattr(listed[0], "key")


@pytest.mark.parametrize("scope", ["write", "operate"])
async def test_a_scope_that_the_caller_lacks_is_not_granted(
    office: KeyAdministrationFixture, scope: str
) -> None:
    with pytest.raises(NotAllowed, match=f"cannot grant the scope '{scope}'"):
        await office.make(scopes=["read", scope])


async def test_a_tenants_key_cannot_be_made_from_another_tenant(
    office: KeyAdministrationFixture,
) -> None:
    with pytest.raises(NotAllowed, match="manage other tenants"):
        await office.make(tenant_id="globex")


async def test_the_operator_makes_the_first_key_of_a_new_tenant(
    office: KeyAdministrationFixture,
) -> None:
    made = await office.make(OPERATOR, tenant_id="globex", scopes=["admin", "read"])

    assert made.tenant_id == "globex"
    assert await office.store.keys(TX, "default") == []


async def test_a_tenants_key_never_sees_all_tenants(office: KeyAdministrationFixture) -> None:
    with pytest.raises(Invalid) as refused:
        await office.make(OPERATOR, tenant_id="globex", scopes=["operate"])

    assert [(e.field, e.rule) for e in refused.value.errors] == [("scopes", "operator_only")]


@pytest.mark.parametrize(
    "caller",
    [
        Caller("acme", "all", ALL_SCOPES),
        Caller("default", "no operator", ALL_SCOPES - {Scope.OPERATE}),
    ],
)
def test_only_the_operator_manages_other_tenants(caller: Caller) -> None:
    with pytest.raises(NotAllowed):
        resolve_tenant(caller, "globex")

    assert (
        resolve_tenant(caller, None) == resolve_tenant(caller, caller.tenant_id) == caller.tenant_id
    )


async def test_a_key_that_has_expired_already_is_refused(
    office: KeyAdministrationFixture,
) -> None:
    with pytest.raises(Invalid) as refused:
        await office.make(expires_at=NOON)

    assert refused.value.errors[0].field == "expires_at"


async def test_the_valid_keys_of_a_tenant_are_limited(office: KeyAdministrationFixture) -> None:
    await office.make()
    await office.make(expires_at=NOON + timedelta(hours=1))
    await office.make()

    with pytest.raises(Conflict, match="has 3 keys, the maximum"):
        await office.make()

    assert (await office.make(OPERATOR, tenant_id="globex")).tenant_id == "globex"


async def test_an_expired_or_revoked_key_does_not_count_against_the_limit(
    office: KeyAdministrationFixture,
) -> None:
    first = await office.make()
    await office.make(expires_at=NOON + timedelta(hours=1))
    await office.make()

    await office.administration.revoke_key(TX, identify_request(ADMIN), first.id, tenant_id=None)
    office.clock.move(3601)

    assert [await office.make() for _ in range(2)]


async def test_a_key_ends_when_it_expires(office: KeyAdministrationFixture) -> None:
    made = await office.make(expires_at=NOON + timedelta(hours=1))
    office.clock.move(3601)

    assert await office.store.find_key(TX, hash_key(made.key)) is None


async def test_a_repeated_request_makes_no_second_key_and_says_so(
    office: KeyAdministrationFixture,
) -> None:
    request = new_id()
    await office.make(request_id=request)

    with pytest.raises(Conflict, match="shown only once"):
        await office.make(request_id=request)

    assert len(await office.store.keys(TX, "acme")) == 1


async def test_a_revoked_key_is_refused_and_stays_listed(
    office: KeyAdministrationFixture,
) -> None:
    made = await office.make()

    for _ in range(2):
        view = await office.administration.revoke_key(
            TX, identify_request(ADMIN), made.id, tenant_id=None
        )

    assert view.revoked_at == NOON
    assert await office.store.find_key(TX, hash_key(made.key)) is None
    assert len(await office.store.keys(TX, "acme")) == 1


async def test_who_made_and_who_revoked_a_key_is_recorded_in_its_tenants_log(
    office: KeyAdministrationFixture,
) -> None:
    made = await office.make(OPERATOR, tenant_id="globex")
    for _ in range(2):
        await office.administration.revoke_key(
            TX, identify_request(OPERATOR), made.id, tenant_id="globex"
        )

    assert [entry.action for entry in office.audit.entries] == ["key_created", "key_revoked"]
    assert {entry.tenant_id for entry in office.audit.entries} == {"globex"}
    assert {entry.subject for entry in office.audit.entries} == {str(made.id)}
    assert {entry.actor for entry in office.audit.entries} == {OPERATOR.actor}
    assert made.key not in str(office.audit.entries)


async def test_a_key_does_not_revoke_itself(office: KeyAdministrationFixture) -> None:
    assert ADMIN.key_id is not None

    with pytest.raises(Conflict, match="cannot revoke itself"):
        await office.administration.revoke_key(
            TX, identify_request(ADMIN), ADMIN.key_id, tenant_id=None
        )


async def test_a_key_of_another_tenant_is_not_found(
    office: KeyAdministrationFixture,
) -> None:
    made = await office.make(OPERATOR, tenant_id="globex")

    with pytest.raises(NotFound):
        await office.administration.revoke_key(TX, identify_request(ADMIN), made.id, tenant_id=None)
    view = await office.administration.revoke_key(
        TX, identify_request(OPERATOR), made.id, tenant_id="globex"
    )

    assert view.revoked_at == NOON


async def test_a_key_with_a_scope_that_the_caller_lacks_cannot_be_revoked(
    office: KeyAdministrationFixture,
) -> None:
    stronger = await office.make(OPERATOR, tenant_id="acme", scopes=["read", "write"])

    with pytest.raises(NotAllowed, match="cannot revoke one with the scope 'write'"):
        await office.administration.revoke_key(
            TX, identify_request(ADMIN), stronger.id, tenant_id=None
        )

    assert await office.store.find_key(TX, hash_key(stronger.key)) is not None


@pytest.mark.parametrize("later", [None, NOON + timedelta(hours=2)])
async def test_a_key_that_expires_makes_none_that_lives_longer(
    office: KeyAdministrationFixture, later: datetime | None
) -> None:
    caller = replace(ADMIN, expires_at=NOON + timedelta(hours=1))

    with pytest.raises(Invalid) as refused:
        await office.make(caller, expires_at=later)

    assert [error.rule for error in refused.value.errors] == ["outlives_caller"]
    assert (await office.make(caller, expires_at=NOON + timedelta(minutes=30))).expires_at
