"""What a service has written: its outbox and its work, read from the database."""

from archon_contracts.base import Contract
from archon_contracts.catalogue import BY_TYPE
from shared.messaging.outbox import decode_headers
from shared.postgres.database import Database
from tests.support.eventually import eventually

OVER = {"done", "failed", "cancelled"}


MESSAGES = "SELECT headers, payload FROM outbox WHERE topic <> ALL($1) ORDER BY id"


async def events_of(database: Database, *, but_not: tuple[str, ...] = ()) -> list[Contract]:
    """Every message in the outbox but those for some topics, in the order in which it will leave.

    Dead letters are read as what they were; that of a record that nobody can read fails here.
    """
    async with database.connection() as connection:
        rows = await connection.fetch(MESSAGES, list(but_not))
    found = []
    for row in rows:
        headers = dict(decode_headers(row["headers"]))
        contract = BY_TYPE[(headers["ce_type"] or b"").decode()]
        found.append(contract.model_validate_json(row["payload"]))
    return found


async def states_of(database: Database) -> list[str]:
    """The states of all work, oldest first."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT state FROM work ORDER BY created_at")
    return [row["state"] for row in rows]


async def until_over(database: Database, count: int = 1) -> None:
    """Wait until that many pieces of work are over."""

    async def over() -> bool:
        return sum(state in OVER for state in await states_of(database)) >= count

    await eventually(over, timeout=30)
