"""One suite over object stores: a folder, and the wires of S3, Google Cloud Storage and Azure before stand-ins.

Unverified on the real services. AISP_AZURITE names the address of Azurite's blob service with its well-known account
and a container `documents`: the suite then runs on that, too. No emulator of Google's was found whose XML interface
takes what obstore sends (fake-gcs-server refuses its PUT).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from rag_service.adapters.object_store import Objects
from tests.standins.object_stores import BUCKET, S3, Azure, Gcs, Standin, object_store, options

STANDINS: dict[str, type[Standin]] = {"s3": S3, "gs": Gcs, "az": Azure}
AZURITE = os.environ.get("AISP_AZURITE", "")
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published with it: everybody's."""


@pytest.fixture(params=["folder", *STANDINS, *(["azurite"] if AZURITE else [])])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    if request.param == "folder":
        yield Objects("", tmp_path / "objects")
    elif request.param == "azurite":
        keys = {"account_name": "devstoreaccount1", "account_key": AZURITE_KEY}
        yield Objects(f"az://{BUCKET}", tmp_path, {"endpoint": AZURITE} | keys)
    else:
        with object_store(STANDINS[request.param]) as (address, _, refused):
            yield Objects(f"{request.param}://{BUCKET}", tmp_path, options(request.param, address))
            assert refused == []


async def content(store: Objects, key: str) -> bytes:
    return b"".join([part async for part in store.read(key)])


async def test_what_is_kept_is_read_listed_and_removed(store: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for key, size in (("t/d/original", 10), ("t/d/2/original", 700_000), ("t/e/original", 11_000_000)):
        written = bytes(range(256)) * (size // 256 + 1)
        source.write_bytes(written[:size])
        await store.put(key, source)
        assert await content(store, key) == written[:size]
    assert set(await store.list("t/d/")) == {"t/d/original", "t/d/2/original"}
    await store.delete(["t/d/original", "t/d/2/original", "t/never/was"])
    assert await store.list("t/d/") == []
    with pytest.raises(FileNotFoundError):
        await content(store, "t/d/original")
    assert (await store.erase("t", "d")).removed["objects"] == 1
    assert await store.list("t/") == []


async def test_what_is_put_again_replaces(store: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for text in (b"first", b"second, and longer"):
        source.write_bytes(text)
        await store.put("t/d/text", source)
        assert await content(store, "t/d/text") == text
    await store.delete(["t/d/text"])


async def test_lists_are_read_to_their_end_and_only_below_a_prefix(store: Objects, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    names = [f"t/many/{number}/original" for number in range(7)]
    for name in (*names, "t/many2/original", "u/many/original"):
        await store.put(name, source)
    assert sorted(await store.list("t/many/")) == names
    assert (await store.erase("t", "d")).removed["objects"] == 8
    assert await store.list("t/") == []
    assert await store.list("u/") == ["u/many/original"]
    await store.delete(["u/many/original"])


@pytest.mark.parametrize("kind", STANDINS)
async def test_without_the_right_key_nothing_is_told(kind: str, tmp_path: Path) -> None:
    wrong = {"s3": "access_key_id", "gs": "bearer_token", "az": "account_key"}[kind]
    with object_store(STANDINS[kind]) as (address, held, refused):
        store = Objects(f"{kind}://{BUCKET}", tmp_path, options(kind, address) | {wrong: "d3Jvbmc="})
        held["t/original"] = b"secret"
        with pytest.raises((PermissionDeniedError, UnauthenticatedError)):
            await content(store, "t/original")
        assert refused
