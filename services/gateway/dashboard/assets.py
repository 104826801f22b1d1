"""Files that pages load: the gateway's own, at addresses that name their content.

An address has the file's digest in it, so a browser may keep the file for ever. Everything is read
and compressed once, at the first page: some 100 kB.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.errors import NotFound

STATIC: Final = Path(__file__).parent / "static"
FILES: Final = {
    "app.css": "app.css",
    "app.js": "app.js",
    "icon.svg": "icon.svg",
    "htmx.js": "vendor/htmx.min.js",
    "uplot.js": "vendor/uPlot.iife.min.js",
    "uplot.css": "vendor/uPlot.min.css",
}
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    path: str
    media_type: str
    content: bytes
    compressed: bytes


@cache
def load_assets() -> dict[str, Asset]:
    """Every file by its short name."""
    return {name: _load(name, STATIC / place) for name, place in FILES.items()}


def _load(name: str, place: Path) -> Asset:
    content = place.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(
        path=f"/assets/{digest}/{name}",
        media_type=MEDIA_TYPES[place.suffix],
        content=content,
        # Without a time stamp, so that every process serves the same bytes.
        compressed=gzip.compress(content, mtime=0),
    )


def build_router() -> APIRouter:
    """The route of assets. It needs no key: the files are the same for everybody."""
    router = APIRouter(include_in_schema=False)

    @router.get("/assets/{digest}/{name}")
    async def show_asset(digest: str, name: str, request: Request) -> Response:
        """A file; an address of an earlier release is not found."""
        asset = load_assets().get(name)
        if asset is None or request.url.path != asset.path:
            raise NotFound("asset", f"{digest}/{name}")
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.compressed, headers=headers, media_type=asset.media_type)
        return Response(asset.content, headers=headers, media_type=asset.media_type)

    return router
