"""Ids and shapes of vector stores at the edge."""

import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aisp.rag.v1 import rag_service_pb2 as pb
from pydantic import ValidationError

from gateway.errors import BadBody
from gateway.routes.store_files import NewBatch, content_page
from gateway.routes.stores import BATCH, FILE, NOBODYS, STORE, ChunkingStrategy, NewStoreFile, named, parsed, store_file

SOME = f"file-{'0' * 31}1"


@pytest.mark.parametrize("prefix", [FILE, STORE, BATCH])
def test_ids_go_there_and_back(prefix: str) -> None:
    own = str(uuid4())
    assert parsed(prefix, named(prefix, own)) == own


@pytest.mark.parametrize("given", ["", "file-", "vs_1", "file-" + "g" * 32, "0" * 32, "file-" + "0" * 33, "file-\0"])
def test_another_form_is_nobodys_in_a_path_and_wrong_elsewhere(given: str) -> None:
    assert parsed(FILE, given) == NOBODYS
    with pytest.raises(BadBody) as told:
        parsed(FILE, given, "file_id")
    assert told.value.metadata["param"] == "file_id"


def test_a_batch_has_one_kind_of_files() -> None:
    told = NewBatch.model_validate({"file_ids": [SOME], "attributes": {"year": 2026}}).on_wire()
    assert [(one.file_id[-1], one.metadata_json) for one in told] == [("1", '{"year":2026}')]
    each = NewBatch.model_validate({"files": [{"file_id": SOME, "attributes": {"a": "b"}}]}).on_wire()
    assert each[0].metadata_json == '{"a":"b"}'
    wrongs: list[dict[str, object]] = [{}, {"file_ids": [SOME], "files": [{"file_id": SOME}]}, {"file_ids": []}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            NewBatch.model_validate(wrong)


def test_numbers_and_truths_of_attributes_stay_what_they_are() -> None:
    told = NewStoreFile.model_validate({"file_id": SOME, "attributes": {"n": 2026, "f": 0.5, "t": True, "s": "1"}})
    assert told.on_wire().metadata_json == '{"n":2026,"f":0.5,"t":true,"s":"1"}'


@pytest.mark.parametrize(
    "strategy",
    [
        {"type": "static"},
        {"type": "auto", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}},
        {"type": "static", "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}},
        {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}},
    ],
)
def test_a_strategy_is_whole(strategy: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ChunkingStrategy.model_validate(strategy)


@pytest.mark.parametrize("text", ["", "plain", "köln", "日本", "🙂🙂", "a🙂"])
async def test_a_text_is_whole_wherever_its_parts_are_cut(text: str) -> None:
    data = text.encode()
    for cut in range(len(data) + 1):

        async def parts(cut: int = cut) -> AsyncIterator[bytes]:
            yield data[:cut]
            yield data[cut:]

        page = json.loads(b"".join([part async for part in content_page(parts())]))
        assert "".join(told["text"] for told in page["data"]) == text
        assert all(told["text"] for told in page["data"])


def test_a_failed_document_says_whose_fault_it_is() -> None:
    row = pb.Document(id=str(uuid4()), status=pb.DOCUMENT_STATUS_FAILED, error="No text.", fault="invalid_file")
    assert store_file(row)["last_error"] == {"code": "invalid_file", "message": "No text."}
    assert store_file(pb.Document(status=pb.DOCUMENT_STATUS_READY))["last_error"] is None
