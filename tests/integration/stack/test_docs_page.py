"""The API's page on the local API's port: what it serves and forwards, and who may read the token."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.docs_page.page import add_page
from local.stack.proxy import application

Use = Callable[[TestClient[web.Request, web.Application]], Awaitable[None]]


def with_page(seed_file: Path, use: Use) -> None:
    """Serve the page with an API and a webhook that echo their requests, and call `use` with a client."""

    def asked(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response({"asked": name, "path": request.path})

        return answer

    async def run() -> None:
        page = partial(add_page, seed_file=seed_file, webhook=asked("webhook"))
        async with TestClient(TestServer(application(asked("api"), page=page))) as client:
            await use(client)

    asyncio.run(run())


def test_the_page_comes_with_its_files_and_the_document(tmp_path: Path) -> None:
    async def use(client: TestClient[web.Request, web.Application]) -> None:
        html = await (await client.get("/docs")).text()
        for file in ("/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "/docs/start.js"):
            assert file in html
            assert (await client.get(file)).status == 200
        document = await (await client.get("/openapi.json")).json()
        assert document["openapi"] == "3.1.0"

    with_page(tmp_path / "seed.json", use)


def test_it_has_the_demos_tokens_once_there_are_any(tmp_path: Path) -> None:
    seed_file = tmp_path / "seed.json"

    async def use(client: TestClient[web.Request, web.Application]) -> None:
        assert await (await client.get("/docs/session.json")).json() == {"adminToken": "", "userToken": ""}
        seed_file.write_text(json.dumps({"admin_token": "an admin's", "user_token": "a user's"}))
        tokens = {"adminToken": "an admin's", "userToken": "a user's"}
        assert await (await client.get("/docs/session.json")).json() == tokens

    with_page(seed_file, use)


def test_a_foreign_name_for_this_machine_is_refused(tmp_path: Path) -> None:
    async def use(client: TestClient[web.Request, web.Application]) -> None:
        for path in ("/docs", "/docs/session.json", "/openapi.json"):
            assert (await client.get(path, headers={"Host": "evil.example.com"})).status == 403
            assert (await client.get(path, headers={"Host": f"localhost:{client.port}"})).status == 200

    with_page(tmp_path / "seed.json", use)


def test_everything_else_goes_to_the_api_and_the_pages_alerts_to_the_webhook(tmp_path: Path) -> None:
    async def use(client: TestClient[web.Request, web.Application]) -> None:
        listed = await (await client.get("/v1/admin/subscription/list")).json()
        assert listed == {"asked": "api", "path": "/v1/admin/subscription/list"}
        fired = await (await client.post("/docs/webhook/v1/webhook/strategy")).json()
        assert fired["asked"] == "webhook"

    with_page(tmp_path / "seed.json", use)
