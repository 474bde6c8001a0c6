"""One suite over object stores: a folder, and S3's wire before a stand-in (unverified on the real service, as are GCS
and Azure, which have no stand-in here).
"""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from rag_service.adapters.object_store import Objects

BUCKET = "documents"


class S3(BaseHTTPRequestHandler):
    """PUT, multipart PUT, GET, DELETE, list (version 2): what the client sends, in memory."""

    protocol_version = "HTTP/1.1"
    held: dict[str, bytes]
    parts: dict[tuple[str, int], bytes]
    signed: list[str]

    def do_PUT(self) -> None:
        key, query = self._asked()
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if "partNumber" in query:
            self.parts[key, int(query["partNumber"][0])] = body
        else:
            self.held[key] = body
        self._answer(200, b"", {"ETag": '"1"'})

    def do_POST(self) -> None:
        key, query = self._asked()
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        if "delete" in query:
            names = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for name in names:
                self.held.pop(name, None)
            gone = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())
            return
        if "uploads" in query:
            self._answer(200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
            return
        numbers = sorted(number for name, number in self.parts if name == key)
        self.held[key] = b"".join(self.parts.pop((key, number)) for number in numbers)
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")

    def do_GET(self) -> None:
        key, query = self._asked()
        if "list-type" in query:
            prefix = query.get("prefix", [""])[0]
            rows = "".join(
                f"<Contents><Key>{name}</Key><Size>{len(content)}</Size>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for name, content in sorted(self.held.items())
                if name.startswith(prefix)
            )
            self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())
        elif key in self.held:
            self._answer(200, self.held[key], {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "ETag": '"1"'})
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        key, _ = self._asked()
        self.held.pop(key, None)
        self._answer(204, b"")

    def log_message(self, *_: Any) -> None:
        return

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        self.signed.append(self.headers.get("authorization", ""))
        parts = urlsplit(self.path)
        return unquote(parts.path).removeprefix(f"/{BUCKET}").lstrip("/"), parse_qs(parts.query, keep_blank_values=True)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    if request.param == "folder":
        yield Objects("", tmp_path / "objects")
        return
    handler = type("Handler", (S3,), {"held": {}, "parts": {}, "signed": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    options = {
        "endpoint": f"http://127.0.0.1:{server.server_port}",
        "region": "eu-central-1",
        "access_key_id": "id",
        "secret_access_key": "a-secret-of-tests",
        "virtual_hosted_style_request": "false",
    }
    try:
        yield Objects(f"s3://{BUCKET}", tmp_path, options)
        assert handler.signed  # type: ignore[attr-defined]
        assert all(text.startswith("AWS4-HMAC-SHA256 Credential=id/") for text in handler.signed)  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


async def content(store: Objects, key: str) -> bytes:
    return b"".join([part async for part in store.read(key)])


async def test_what_is_kept_is_read_listed_and_removed(store: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for key, size in (("t/d/original", 10), ("t/d/2/original", 700_000), ("t/e/original", 11_000_000)):
        source.write_bytes(b"x" * size)
        await store.put(key, source)
        assert len(await content(store, key)) == size
    assert set(await store.list("t/d/")) == {"t/d/original", "t/d/2/original"}
    await store.delete(["t/d/original", "t/d/2/original", "t/never/was"])
    assert await store.list("t/d/") == []
    with pytest.raises(FileNotFoundError):
        await content(store, "t/d/original")
    assert (await store.erase("t", "d")).removed["files"] == 1
    assert await store.list("t/") == []
