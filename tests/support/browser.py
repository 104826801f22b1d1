"""A headless Chromium, driven over a pipe by its own protocol, without a driver or a package."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
ABSENT: Final = "no Chromium is here (apt-get install chromium): pages are not looked at"
ANSWER_SECONDS: Final = 60.0
FLAGS: Final = (
    "--headless=new --no-sandbox --disable-gpu --disable-extensions --no-first-run "
    "--disable-background-networking --disable-component-update --hide-scrollbars "
    "--remote-debugging-pipe"
)

MEASURE: Final = """
new Promise((done) => new PerformanceObserver((seen) => {
  // The first paint may come in a list of its own, before that of contents.
  if (!seen.getEntriesByName("first-contentful-paint").length) return;
  const parts = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind));
  done({
    first_paint_ms: Math.round(seen.getEntriesByName("first-contentful-paint")[0].startTime),
    bytes: parts.reduce((sum, part) => sum + part.transferSize, 0),
    requests: parts.length,
  });
}).observe({ type: "paint", buffered: true }))
"""


class BrowserPage:
    """One tab: what it asked the network for, and what it complained of."""

    def __init__(self, write: asyncio.StreamWriter) -> None:
        self._write = write
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.session: str | None = None
        self.requested: list[str] = []
        self.complaints: list[str] = []

    async def call(self, method: str, **values: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": values}
        if self.session is not None:
            message["sessionId"] = self.session
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        self._write.write(json.dumps(message).encode() + b"\0")
        await self._write.drain()
        async with asyncio.timeout(ANSWER_SECONDS):
            return await future

    def receive(self, message: dict[str, Any]) -> None:
        """Take an answer or an event of the browser."""
        if "id" in message:
            future = self._answers.pop(message["id"])
            if "error" in message:
                future.set_exception(RuntimeError(str(message["error"])))
            else:
                future.set_result(message["result"])
            return
        values = message.get("params", {})
        match message["method"]:
            case "Page.loadEventFired":
                self._loaded.set()
            case "Network.requestWillBeSent":
                self.requested.append(values["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(values["exceptionDetails"])[:500])
            case "Log.entryAdded" if values["entry"]["level"] == "error":
                self.complaints.append(values["entry"]["text"])

    async def go(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        self._loaded.clear()
        await self.call("Page.navigate", url=address)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._loaded.wait()

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = await self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(str(found["exceptionDetails"])[:500])
        return found["result"].get("value")

    async def submit(self, script: str) -> None:
        """Run what makes the browser leave the page, and wait for the next one."""
        self._loaded.clear()
        await self.run(script)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._loaded.wait()

    async def press(self, key: str) -> None:
        """Press a key that makes the browser leave the page, and wait for the next one."""
        self._loaded.clear()
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._loaded.wait()

    async def open_tab(self, address: str) -> str:
        """Open another tab and look at it; returns the one that was looked at before."""
        before = self.session or ""
        self.session = None
        await _attach(self)
        await self.go(address)
        return before

    async def text(self) -> str:
        """What the page shows, as text."""
        shown: str = await self.run("document.body.innerText")
        return shown

    async def view(self, width: int, scheme: str) -> None:
        """Be so wide [px], in a light or dark scheme."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def measure(self, address: str) -> dict[str, int]:
        """Open an address with an empty cache: first paint [ms], bytes received, requests."""
        await self.call("Network.clearBrowserCache")
        await self.go(address)
        measured: dict[str, int] = await self.run(MEASURE)
        return measured

    async def picture(self, path: Path) -> None:
        """Save the whole page as a PNG."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(_save, path, base64.b64decode(found["data"]))


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@contextlib.asynccontextmanager
async def open_page(folder: Path) -> AsyncIterator[BrowserPage]:
    """A new browser with one tab; `folder` is its profile."""
    read_commands, write_commands = os.pipe()
    read_answers, write_answers = os.pipe()
    process = await asyncio.create_subprocess_exec(
        "/bin/bash",  # its redirections take file descriptors above 9
        "-c",
        f"exec {CHROMIUM} {FLAGS} --user-data-dir={folder} 3<&{read_commands} 4>&{write_answers}",
        pass_fds=(read_commands, write_answers),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    os.close(read_commands)
    os.close(write_answers)
    reader, writer, transport = await _streams(read_answers, write_commands)
    page = BrowserPage(writer)
    reading = asyncio.create_task(_read(reader, page))
    try:
        await _attach(page)
        yield page
    finally:
        with contextlib.suppress(Exception):
            page.session = None
            await page.call("Browser.close")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        reading.cancel()
        writer.close()
        transport.close()


async def _streams(
    read_end: int, write_end: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.BaseTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", 0)
    )
    sending, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(write_end, "wb", 0)
    )
    return reader, asyncio.StreamWriter(sending, protocol, None, loop), transport


async def _read(reader: asyncio.StreamReader, page: BrowserPage) -> None:
    while True:
        page.receive(json.loads((await reader.readuntil(b"\0"))[:-1]))


async def _attach(page: BrowserPage) -> None:
    target = (await page.call("Target.createTarget", url="about:blank"))["targetId"]
    session = await page.call("Target.attachToTarget", targetId=target, flatten=True)
    page.session = session["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        await page.call(f"{domain}.enable")
