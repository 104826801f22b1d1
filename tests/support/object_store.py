"""moto's S3 server behind a door that can be closed, slow, or answer with a fault."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = {"AccessDenied": 403, "NoSuchBucket": 404, "SlowDown": 503}


def find_moto() -> str | None:
    """moto's server program, by `ARCHON_TEST_MOTO` or the path."""
    return os.environ.get("ARCHON_TEST_MOTO") or shutil.which("moto_server")


_OF_THE_HOP = ("Transfer-Encoding", "Content-Length", "Connection", "Expect")


def _read_body(handler: BaseHTTPRequestHandler, size: int) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(size)
    body = b""
    while length := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(length)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class ObjectStore:
    """A running server; `fault` is what its door answers with from now on."""

    def __init__(self, program: str) -> None:
        self._port = _free_port()
        self._process = subprocess.Popen(
            [program, "-p", str(self._port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.fault: str | None = None
        self.seconds = 0.0
        door = self

        class Door(BaseHTTPRequestHandler):
            """Passes requests on, unless a fault is set."""

            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                door.answer(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_request

            def log_message(self, *_arguments: object) -> None:
                """Print nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._await_start()

    def _await_start(self) -> None:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("moto's server did not start")

    def make_bucket(self, name: str) -> None:
        """Make a bucket."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=10).close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        size = int(handler.headers.get("Content-Length") or 0)
        if self.fault == "half an upload" and handler.command == "PUT":
            handler.rfile.read(size // 2)
            handler.close_connection = True
            return
        body = _read_body(handler, size)
        time.sleep(self.seconds)
        if self.fault in FAULTS:
            text = f"<Error><Code>{self.fault}</Code><Message>{self.fault}</Message></Error>"
            self._send(handler, FAULTS[self.fault], {}, text.encode())
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            headers = {name: v for name, v in handler.headers.items() if name not in _OF_THE_HOP}
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            self._send(handler, answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    @staticmethod
    def _send(
        handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "server", "date"):
                handler.send_header(name, value)
        length = headers.get("Content-Length") if handler.command == "HEAD" else None
        handler.send_header("Content-Length", length or str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":  # which has no body: it would be read as the next answer
            handler.wfile.write(body)

    def close(self) -> None:
        """End the server and its door."""
        self._server.shutdown()
        self._server.server_close()
        self._process.kill()
        self._process.wait()
