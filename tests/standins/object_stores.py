"""What obstore says to S3, Google Cloud Storage (its XML interface) and Azure Blob Storage, answered out of memory.

They check who asks: Azure's signature is computed anew; S3's credential and Google's token are looked at.
"""

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

BUCKET = "documents"
ACCOUNT = "aisptests"
ACCOUNT_KEY = base64.b64encode(b"a key of tests, no account's").decode()
TOKEN = "a-token-of-tests"
SECRET = "a-secret-of-tests"
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)
"""Headers of a request that Azure signs, in their order."""
MOST_LISTED = 2
"""So a list has pages."""


class Standin(BaseHTTPRequestHandler):
    """Objects in memory; what the stores have in common."""

    protocol_version = "HTTP/1.1"
    held: dict[str, bytes]
    parts: dict[tuple[str, str], bytes]
    refused: list[str]
    kind: ClassVar[str]

    def do_GET(self) -> None:
        if self._admitted():
            self._get()

    def do_PUT(self) -> None:
        body = self._body()
        if self._admitted():
            self._put(body)

    def do_POST(self) -> None:
        body = self._body()
        if self._admitted():
            self._post(body)

    def do_DELETE(self) -> None:
        if self._admitted():
            there = self.held.pop(self._asked()[0], None) is not None
            self._deleted(there=there)

    def log_message(self, *_: Any) -> None:
        return

    def _admitted(self) -> bool:
        if self._known():
            return True
        self.refused.append(self.headers.get("authorization", ""))
        self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return False

    def _known(self) -> bool:
        raise NotImplementedError

    def _get(self) -> None:
        raise NotImplementedError

    def _put(self, body: bytes) -> None:
        raise NotImplementedError

    def _post(self, body: bytes) -> None:
        raise NotImplementedError

    def _deleted(self, *, there: bool) -> None:
        raise NotImplementedError

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"] or 0))

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return unquote(parts.path).removeprefix(f"/{BUCKET}").lstrip("/"), query

    def _read(self, key: str) -> None:
        """The object, or the bytes of it that are asked for."""
        content, status, more = self.held[key], 200, {}
        asked = self.headers.get("x-ms-range") or self.headers.get("range") or ""
        if found := re.fullmatch(r"bytes=(\d+)-(\d+)", asked):
            first, last = int(found[1]), min(int(found[2]), len(content) - 1)
            more = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            content, status = content[first : last + 1], 206
        self._answer(status, content, {"Last-Modified": DATE, "ETag": '"1"'} | more)

    def _page(self, prefix: str, after: str) -> tuple[list[str], str]:
        names = sorted(name for name in self.held if name.startswith(prefix) and name > after)
        return names[:MOST_LISTED], names[MOST_LISTED - 1] if len(names) > MOST_LISTED else ""

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class S3(Standin):
    """PUT, multipart PUT, GET, DELETE, list (version 2)."""

    kind = "s3"

    def _known(self) -> bool:
        return self.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=id/")

    def _put(self, body: bytes) -> None:
        key, query = self._asked()
        if "partNumber" in query:
            self.parts[key, query["partNumber"].rjust(6, "0")] = body
        else:
            self.held[key] = body
        self._answer(200, b"", {"ETag": '"1"'})

    def _post(self, body: bytes) -> None:
        key, query = self._asked()
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
        assert body
        numbers = sorted(number for name, number in self.parts if name == key)
        self.held[key] = b"".join(self.parts.pop((key, number)) for number in numbers)
        self._answer(200, b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")

    def _get(self) -> None:
        key, query = self._asked()
        if "list-type" in query:
            names, more = self._page(query.get("prefix", ""), query.get("continuation-token", ""))
            rows = "".join(
                f"<Contents><Key>{name}</Key><Size>{len(self.held[name])}</Size><ETag>1</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for name in names
            )
            token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
            cut = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
            self._answer(200, f"<ListBucketResult>{cut}{token}{rows}</ListBucketResult>".encode())
        elif key in self.held:
            self._read(key)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def _deleted(self, *, there: bool) -> None:
        del there  # S3 does not say
        self._answer(204, b"")


class Gcs(S3):
    """Google's XML interface says what S3's does, under a token."""

    kind = "gs"

    def _known(self) -> bool:
        return bool(self.headers.get("authorization") == f"Bearer {TOKEN}")

    def _deleted(self, *, there: bool) -> None:
        self._answer(204 if there else 404, b"" if there else b"<Error><Code>NoSuchKey</Code></Error>")


class Azure(Standin):
    """Block blobs: put at once or in blocks, get, delete, list."""

    kind = "az"

    def _known(self) -> bool:
        """A shared key's signature, as Azure computes it."""
        lower = {name.lower(): value.strip() for name, value in self.headers.items()}
        said = {name: lower.get(name, "") for name in SIGNED}
        said["content-length"] = "" if said["content-length"] == "0" else said["content-length"]
        if "x-ms-date" in lower:
            said["date"] = ""
        own = [f"{name}:{value}" for name, value in sorted(lower.items()) if name.startswith("x-ms-")]
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        place = f"/{ACCOUNT}{parts.path}" + "".join(f"\n{name}:{','.join(query[name])}" for name in sorted(query))
        signed = "\n".join([self.command, *said.values(), *own, place])
        mac = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
        expected = f"SharedKey {ACCOUNT}:{base64.b64encode(mac).decode()}"
        return hmac.compare_digest(expected, lower.get("authorization", ""))

    def _put(self, body: bytes) -> None:
        key, query = self._asked()
        if query.get("comp") == "block":
            self.parts[key, query["blockid"]] = body
        elif query.get("comp") == "blocklist":
            named = re.findall(r"<(?:Uncommitted|Latest)>(.*?)</", body.decode())
            self.held[key] = b"".join(self.parts.pop((key, one)) for one in named)
        else:
            assert self.headers["x-ms-blob-type"] == "BlockBlob"
            self.held[key] = body
        self._answer(201, b"", {"ETag": '"1"', "Last-Modified": DATE})

    def _get(self) -> None:
        key, query = self._asked()
        if query.get("comp") == "list":
            names, more = self._page(query.get("prefix", ""), query.get("marker", ""))
            rows = "".join(
                f"<Blob><Name>{name}</Name><Properties><Last-Modified>{DATE}</Last-Modified><Etag>1</Etag>"
                f"<Content-Length>{len(self.held[name])}</Content-Length><Content-Type>text/plain</Content-Type>"
                "<BlobType>BlockBlob</BlobType></Properties></Blob>"
                for name in names
            )
            told = f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
            self._answer(200, told.encode())
        elif key in self.held:
            self._read(key)
        else:
            self._answer(404, b"<Error><Code>BlobNotFound</Code></Error>")

    def _post(self, body: bytes) -> None:
        """Several are deleted in one request, which has theirs within it."""
        assert self._asked()[1]["comp"] == "batch"
        answers = []
        for number, path in enumerate(re.findall(rf"DELETE /{BUCKET}/(\S+) HTTP/1.1", body.decode())):
            there = self.held.pop(unquote(path), None) is not None
            line = "HTTP/1.1 202 Accepted" if there else "HTTP/1.1 404 Not Found\r\nx-ms-error-code: BlobNotFound"
            head = f"--gone\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n"
            answers.append(f"{head}{line}\r\nx-ms-version: 2021-12-02\r\n\r\n")
        told = "".join(answers) + "--gone--\r\n"
        self._answer(202, told.encode(), {"Content-Type": "multipart/mixed; boundary=gone"})

    def _deleted(self, *, there: bool) -> None:
        self._answer(202 if there else 404, b"" if there else b"<Error><Code>BlobNotFound</Code></Error>")


def options(kind: str, address: str) -> dict[str, str]:
    """What an operator sets as AI_PLATFORM_RAG__OBJECT_OPTIONS."""
    if kind == "s3":
        keys = {"access_key_id": "id", "secret_access_key": SECRET}
        return {"endpoint": address, "region": "eu-central-1", "virtual_hosted_style_request": "false"} | keys
    if kind == "gs":
        return {"base_url": address, "bearer_token": TOKEN}
    return {"endpoint": address, "account_name": ACCOUNT, "account_key": ACCOUNT_KEY}


@contextmanager
def object_store(made: type[Standin]) -> Iterator[tuple[str, dict[str, bytes], list[str]]]:
    """Its address, what it holds, and whom it refused."""
    handler = type("Handler", (made,), {"held": {}, "parts": {}, "refused": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.held, handler.refused  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
