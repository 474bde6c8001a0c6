"""What somebody finds who opens the address in a browser: a few links, and the page that shows the API.

The page's script and style come from here, out of a package that bundles them: it works where there is no network.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

PAGE, ASSETS = "/docs", "/docs/assets"
BUNDLE = "fastapi_offline"
"""Only its files are used."""


def document(api: FastAPI, *, page: bool) -> None:
    """Adds the landing, and the page where there is to be one."""
    router = APIRouter(include_in_schema=False)
    links = {"openapi": "/openapi.json", "models": "/v1/models"} | ({"docs": PAGE} if page else {})

    @router.get("/")
    async def landing() -> dict[str, Any]:
        return {"name": api.title, "version": api.version, "description": api.description, "links": links}

    if page:

        @router.get(PAGE)
        async def docs() -> HTMLResponse:
            return get_swagger_ui_html(
                openapi_url="/openapi.json",
                title=api.title,
                swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
                swagger_css_url=f"{ASSETS}/swagger-ui.css",
                swagger_favicon_url=f"{ASSETS}/favicon.png",
            )

        api.mount(ASSETS, StaticFiles(directory=_bundled()), name="assets")
    api.include_router(router)


def _bundled() -> Path:
    found = find_spec(BUNDLE)
    assert found is not None, f"{BUNDLE} is not installed"
    assert found.origin is not None
    return Path(found.origin).parent / "static"
