"""Who reads which uploaded or generated dataset."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from services.gateway.auth.credentials import ALL_SCOPES, Caller
from services.gateway.domain import name_synthetic_dataset, synthetic_request_of
from services.gateway.errors import NotFound
from services.gateway.read_models.queries import QueryService

REQUEST = uuid4()
OWN, OTHER = frozenset({"mine"}), frozenset({"another"})


class DatasetsOfMine:
    """Has every dataset; what was generated is of the agent `mine`."""

    async def datasets(self, _tx: Any, _tenant_id: str, *, name: str) -> list[Any]:
        return [SimpleNamespace(name=name)]

    async def find_synthetic_request(self, *_: Any) -> Any:
        return SimpleNamespace(agent_id="mine")


async def read(name: str, agents: frozenset[str] | None) -> Any:
    queries = QueryService.__new__(QueryService)
    queries.store = DatasetsOfMine()  # type: ignore[assignment]  # a stand-in
    caller = Caller("default", "key", ALL_SCOPES, agents=agents)
    return await queries.dataset(None, caller, name)  # type: ignore[arg-type]  # no database


@pytest.mark.parametrize("agents", [None, OWN])
async def test_a_generated_dataset_is_read_by_keys_of_its_agent(
    agents: frozenset[str] | None,
) -> None:
    name = name_synthetic_dataset(REQUEST)

    assert (await read(name, agents)).name == name


async def test_a_key_of_another_agent_does_not_find_it() -> None:
    with pytest.raises(NotFound):
        await read(name_synthetic_dataset(REQUEST), OTHER)


@pytest.mark.parametrize("name", ["clinc", "synthetic-", "synthetic-clinc"])
async def test_an_uploaded_dataset_is_the_tenants_whatever_its_name(name: str) -> None:
    assert synthetic_request_of(name) is None
    assert (await read(name, OTHER)).name == name
