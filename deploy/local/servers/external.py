"""A broker and a database that run elsewhere: only looked at before anything starts."""

import asyncio

import asyncpg
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local.errors import UnusableChoiceError
from shared.errors import StartupFailed
from shared.kafka.security import explain_refusal, security_arguments
from shared.settings import KafkaSecuritySettings

ANSWER_SECONDS = 10.0


async def require_broker(servers: str, security: KafkaSecuritySettings) -> None:
    """See that a Kafka answers at `servers` and lets us in.

    Raises:
        UnusableChoiceError: it does not; the text says why and which setting to look at.
    """
    try:
        arguments = {"bootstrap_servers": servers.split(","), **security_arguments(security)}
    except StartupFailed as error:
        raise UnusableChoiceError(f"{error}.") from error
    client = AIOKafkaClient(**arguments)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.bootstrap()
    except (KafkaError, OSError) as error:
        raise UnusableChoiceError(
            await explain_refusal(arguments, final=True)
            or f"No Kafka answers at {servers}: check that it runs, and the address of --broker."
        ) from error
    finally:
        await client.close()


async def require_database(url: str) -> None:
    """See that the database lets us in.

    Raises:
        UnusableChoiceError: it does not; the text holds no password.
    """
    try:
        connection = await asyncpg.connect(url, timeout=ANSWER_SECONDS)
    except ValueError:  # asyncpg's ClientConfigurationError is one
        # Without the driver's text, which quotes parts of the URL, the password's too.
        raise UnusableChoiceError(
            "The address of --database cannot be read: write "
            "postgresql://user:password@host:port/name, with what is special in the password "
            "percent-encoded (/ is %2F)."
        ) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        reason = str(error) or "no answer in time"
        raise UnusableChoiceError(
            f"The database of --database does not let us in ({reason}): check its address, user "
            "and password."
        ) from error
    await connection.close()
