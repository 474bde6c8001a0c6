"""The page of the API works where there is no network: all that it loads comes from the platform."""

import re
from urllib.parse import urljoin

import httpx

from tests.e2e.conftest import Platform


def test_the_page_loads_nothing_from_elsewhere(platform: Platform) -> None:
    with httpx.Client(base_url=platform.base_url) as client:
        landing = client.get("/").raise_for_status().json()
        assert landing["name"] == "AI Service Platform"
        page = client.get(landing["links"]["docs"]).raise_for_status()
        wanted = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
        assert len(wanted) >= 3
        for url in wanted:
            assert urljoin(platform.base_url, url).startswith(platform.base_url), url
            part = client.get(url).raise_for_status()
            kind = "text/css" if url.endswith(".css") else "image/png" if url.endswith(".png") else "javascript"
            assert kind in part.headers["content-type"]
            assert len(part.content) > 1000
        assert client.get("/docs/assets/../../app.py").status_code == 404
        assert client.get("/docs/assets/%2e%2e/__init__.py").status_code == 404
        document = client.get(landing["links"]["openapi"]).raise_for_status().json()
        assert "/v1/chat/completions" in document["paths"]
        assert "/" not in document["paths"]
