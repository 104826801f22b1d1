"""A local OpenAI-compatible endpoint that misbehaves as a test wants it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[[int, dict[str, Any]], tuple[int, bytes]]
"""From the number of the request and its body to a status and a body; None hangs."""


def say(text: str) -> tuple[int, bytes]:
    """A reply as an endpoint sends it."""
    return 200, json.dumps({"choices": [{"message": {"content": text}}]}).encode()


class EndpointLog:
    """What an endpoint was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.most_at_once = 0
        self.open = 0
        self.lock = threading.Lock()


@contextmanager
def language_model(reply: Reply, *, hang_seconds: float = 0.0) -> Iterator[EndpointLog]:
    """Serve replies on a free port; each takes `hang_seconds`."""
    seen = EndpointLog()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with seen.lock:
                seen.bodies.append(body)
                seen.keys.add(self.headers["authorization"])
                number, seen.open = len(seen.bodies) - 1, seen.open + 1
                seen.most_at_once = max(seen.most_at_once, seen.open)
            time.sleep(hang_seconds)
            status, content = reply(number, body)
            with seen.lock:
                seen.open -= 1
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
