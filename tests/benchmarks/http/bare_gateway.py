"""What a gateway of feedback cannot be faster than: one route that sends its body to Kafka.

`python -m tests.benchmarks.http.bare_gateway PORT BOOTSTRAP_SERVERS TOPIC` serves until it is
ended. No key is checked, the body is not read, and there is no id: an answer comes once the broker
has acknowledged the record (acks=all).
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PATH = "/v1/feedback"


def build(bootstrap_servers: str, topic: str) -> Starlette:
    """The application."""
    producers: list[AIOKafkaProducer] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
        await admin.start()
        # Where topics are made only when somebody asks for them.
        with suppress(TopicAlreadyExistsError):
            await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
        await producer.start()
        producers.append(producer)
        try:
            yield
        finally:
            await producer.stop()

    async def receive(request: Request) -> Response:
        await producers[0].send_and_wait(topic, await request.body(), key=b"bench")
        return Response(b"{}", 202, media_type="application/json")

    routes = [Route("/", lambda _request: Response()), Route(PATH, receive, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)


if __name__ == "__main__":
    port, servers, topic = sys.argv[1:]
    uvicorn.run(build(servers, topic), host="127.0.0.1", port=int(port), log_level="warning")
