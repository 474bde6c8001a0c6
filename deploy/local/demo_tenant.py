"""The first tenant and the operator, made through the public API as anybody would."""

import asyncio
import os
import sys
from typing import Any

import aiohttp

from deploy.local.errors import LocalError
from deploy.local.platform import Platform
from deploy.local.state import Credentials

SCOPES = (
    "inference", "documents:read", "documents:write", "usage:read", "keys:manage", "members:manage", "tenant:manage",
    "audit:read",
)  # fmt: skip
"""The demo's key may do everything that the owner may."""


async def ensure_demo(platform: Platform, base_url: str) -> Credentials:
    """Makes operator, tenant (on plan pro) and key at the first start; afterwards only reads them."""
    credentials = Credentials.load(platform.directory)
    if credentials.api_key:
        return credentials
    await _make_operator(platform, credentials)
    async with aiohttp.ClientSession(base_url) as session:
        login = {"email": credentials.email, "password": credentials.password}
        made = await _post(session, "/api/v1/auth/register", login | {"full_name": "Demo", "tenant_name": "Demo"})
        credentials.tenant_id = made["tenant"]["id"]
        key = await _post(session, "/api/v1/api-keys", {"name": "demo", "scopes": SCOPES}, made["access_token"])
        operator = {"email": credentials.operator_email, "password": credentials.operator_password}
        token = (await _post(session, "/api/v1/auth/token", operator))["access_token"]
        path = f"/api/v1/admin/tenants/{credentials.tenant_id}"
        await _send(session, "PATCH", path, {"plan": "pro"}, token)
        credentials.api_key = key["key"]
    credentials.save(platform.directory)
    return credentials


async def _make_operator(platform: Platform, credentials: Credentials) -> None:
    environment = platform.environment("auth_service") | {
        "AI_PLATFORM_OPERATOR__PASSWORD": credentials.operator_password
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "auth_service", "operator", "--email", credentials.operator_email,
        env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await process.communicate()
    if process.returncode:
        raise LocalError(f"the operator could not be made: {told.decode().strip()[-300:]}")


async def _post(session: aiohttp.ClientSession, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    return await _send(session, "POST", path, body, token)


async def _send(
    session: aiohttp.ClientSession, method: str, path: str, body: dict[str, Any], token: str
) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with session.request(method, path, json=body, headers=headers) as response:
        if response.status >= 300:
            raise LocalError(f"{method} {path} answered {response.status}: {(await response.text())[:300]}")
        answer: dict[str, Any] = await response.json()
        return answer
