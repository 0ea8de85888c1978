"""Serves the page: its files, the checked-in document with local addresses, the demo's tokens. Forwards nothing.

Same origin as the API, so that "try it" needs no CORS. Answers this machine only: no foreign site may read the tokens.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from local.loopback.middleware import Handler, local_only

WEBHOOK_PREFIX = "/docs/webhook"

_HERE = Path(__file__).resolve().parent
_DOCUMENT = _HERE.parents[1] / "docs" / "openapi.json"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "Cache-Control": "no-store",
}


def add_page(application: web.Application, *, seed_file: Path, webhook: Handler) -> None:
    """Add the page's routes; requests of the page to the webhook go to `webhook`."""

    async def session(_: web.Request) -> web.StreamResponse:
        return web.json_response(_tokens(seed_file), headers=_HEADERS)

    async def document(_: web.Request) -> web.StreamResponse:
        return web.json_response(local_document(_read(_DOCUMENT)), headers=_HEADERS)

    router = application.router
    router.add_get("/docs", _local_only(_file(_HERE / "index.html")))
    router.add_get("/docs/start.js", _local_only(_file(_HERE / "start.js")))
    router.add_get("/docs/session.json", _local_only(session))
    router.add_get("/openapi.json", _local_only(document))
    router.add_post(f"{WEBHOOK_PREFIX}/{{path:.*}}", _local_only(webhook))
    router.add_static("/docs/assets", _browser_bundle())


def local_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the addresses of the page's own server."""
    document["servers"] = [{"url": "/", "description": "The local stack."}]
    for item in document["paths"].values():
        for operation in item.values():
            if "servers" in operation:
                operation["servers"] = [{"url": WEBHOOK_PREFIX, "description": "The local webhook."}]
    return document


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _tokens(seed_file: Path) -> dict[str, str]:
    """Return the tokens of the demo's admin and user; empty texts before the seed has written them."""
    seeded = _read(seed_file) if seed_file.exists() else {}
    return {"adminToken": seeded.get("admin_token", ""), "userToken": seeded.get("user_token", "")}


def _browser_bundle() -> Path:
    # Importing it would import Flask, and only its files are needed.
    found = importlib.util.find_spec("flask_swagger_ui")
    if found is None or not found.submodule_search_locations:
        raise LookupError("flask-swagger-ui is not installed")
    return Path(found.submodule_search_locations[0]) / "dist"


def _file(path: Path) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=_HEADERS)

    return handle


def _local_only(handle: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        return await local_only(request, handle)

    return guarded
