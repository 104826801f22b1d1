"""What the supervisor starts and watches: a server that can be launched again and asked."""

import asyncio

from deploy.local.errors import StartError
from deploy.local.processes.child import Child
from deploy.local.processes.ports import Component

POLL_SECONDS = 0.05
START_SECONDS = 60.0
"""Three nodes of Kafka that start together on two busy cores take half a minute."""
STOP_SECONDS = 10.0


async def start_unsupervised(component: Component) -> Child:
    """Launch `component`, unsupervised, and return its process once it is ready.

    Raises:
        StartError: it ended, or was not ready in time; nothing is left running.
    """
    child = await component.launch()
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await component.is_ready():
                if child.returncode is not None:
                    raise StartError(
                        component.name, f"ended with {child.returncode}", component.log_path
                    )
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        await child.stop(STOP_SECONDS)
        reason = f"was not ready after {START_SECONDS:.0f} seconds"
        raise StartError(component.name, reason, component.log_path) from None
    except BaseException:
        await child.stop(STOP_SECONDS)
        raise
    return child
