"""The tool file_search of responses by the official SDK: searched here, answered by any model, cited by file."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import openai
import pytest

from tests.e2e.conftest import Tenant
from tests.promptness import PATIENCE
from tests.standins.openai_provider import OpenAIProvider, answers, chunks, events, sends

LOCAL = "local/smollm2-135m-instruct"
WARRANTY = b"The warranty of the kettle lasts three years."
RETURNS = b"Returns are free within thirty days."
ASKED = "How long does the warranty of the kettle last?"
FOUND = ["file_search_call.results"]


@pytest.fixture(params=["/v1", "/api/v1"])
def sdk(tenant: Tenant, request: pytest.FixtureRequest) -> openai.OpenAI:
    return openai.OpenAI(base_url=tenant.base_url + str(request.param), api_key=tenant.key, max_retries=0)


@pytest.fixture
def client(tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{tenant.base_url}/v1", api_key=tenant.key, max_retries=0)


@pytest.fixture
def model(provider: OpenAIProvider) -> str:
    """One that speaks chat completions, and is told what to say by each test."""
    name = f"org/{uuid4().hex[:8]}"
    provider.behaviours[name] = answers("It lasts three years [1].")
    return name


def filled(client: Any) -> tuple[str, dict[str, str]]:
    """A vector store with two files, and their ids."""
    store, files = client.vector_stores.create().id, {}
    for name, text, year in (("w.txt", WARRANTY, 2024), ("r.txt", RETURNS, 2026)):
        file = client.files.create(file=(name, text), purpose="assistants")
        files[name] = file.id
        client.vector_stores.files.create(store, file_id=file.id, attributes={"year": year})
    for file_id in files.values():
        assert client.vector_stores.files.poll(file_id, vector_store_id=store).status == "completed"
    return store, files


def booked(tenant: Tenant, request_id: str) -> set[str]:
    """The services in whose name the ledger has lines of a request, once it has heard of it."""
    ends = time.monotonic() + PATIENCE
    while True:
        rows = tenant.client.get("/api/v1/usage/events").json()["data"]
        if found := [row for row in rows if row["request_id"] == request_id]:
            (event,) = found
            return {line["service"] for line in event["lines"]}
        assert time.monotonic() < ends
        time.sleep(0.05)


def tool(store: str, **more: Any) -> Any:
    return {"type": "file_search", "vector_store_ids": [store], **more}


def test_a_model_is_shown_what_is_found_and_its_words_are_cited(
    sdk: Any, provider: OpenAIProvider, model: str, tenant: Tenant
) -> None:
    store, files = filled(sdk)
    tools = [tool(store, max_num_results=1)]
    made = sdk.responses.create(model=f"hf/{model}", input=ASKED, tools=tools, include=FOUND, instructions="Be brief.")
    call, message = made.output
    assert (call.type, call.status, call.queries) == ("file_search_call", "completed", [ASKED])
    assert [(row.file_id, row.filename, row.attributes) for row in call.results or ()] == [
        (files["w.txt"], "w.txt", {"year": 2024})
    ]
    assert made.output_text == "It lasts three years [1]."
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    (cited,) = part.annotations
    assert cited.to_dict() == {
        "type": "file_citation", "file_id": files["w.txt"], "filename": "w.txt", "index": len(made.output_text) - 1,
    }  # fmt: skip
    # The response repeats what its client asked; the model was asked with the passage, and of no such tool.
    assert (made.instructions, made.to_dict()["tools"]) == ("Be brief.", tools)
    heard = provider.received[-1]
    assert "tools" not in heard
    system = heard["messages"][0]
    assert system["role"] == "system"
    assert system["content"].startswith("Be brief.")
    assert WARRANTY.decode() in system["content"]
    assert heard["messages"][1:] == [{"role": "user", "content": ASKED}]
    assert booked(tenant, made._request_id) == {"embedding", "llm"}


def test_what_is_stored_is_gone_on_with_and_has_none_of_the_documents_words(
    client: Any, provider: OpenAIProvider, model: str
) -> None:
    store, _ = filled(client)
    provider.behaviours[model] = answers("Three years.")
    first = client.responses.create(model=f"hf/{model}", input=ASKED, tools=[tool(store)], include=FOUND)
    assert first.to_dict()["store"] is True
    kept = client.responses.retrieve(first.id)
    assert [item.type for item in kept.output] == ["file_search_call", "message"]
    assert kept.output[0].to_dict()["results"] is None
    (item,) = client.responses.input_items.list(first.id).data
    assert item.to_dict()["content"][0]["text"] == ASKED
    # On with it, and without the tool: nothing of the search is said to a model that has no such thing.
    provider.behaviours[model] = answers("Yes.")
    client.responses.create(model=f"hf/{model}", input="Sure?", previous_response_id=first.id)
    told = [(message["role"], message["content"]) for message in provider.received[-1]["messages"]]
    assert told == [("user", ASKED), ("assistant", "Three years."), ("user", "Sure?")]
    # And as clients do who keep their conversations themselves.
    said: list[Any] = [
        {"role": "user", "content": ASKED}, *(one.to_dict() for one in first.output),
        {"role": "user", "content": "Are returns free?"},
    ]  # fmt: skip
    client.responses.create(model=f"hf/{model}", input=said)
    again = client.responses.create(model=f"hf/{model}", input=said, tools=[tool(store)], store=False)
    assert again.to_dict()["store"] is False
    assert RETURNS.decode() in provider.received[-1]["messages"][0]["content"]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(again.id)


def test_a_stream_tells_of_the_search_and_the_citations(client: Any, provider: OpenAIProvider, model: str) -> None:
    store, files = filled(client)
    provider.behaviours[model] = sends(events(chunks("The warranty of the kettle ", "lasts three years.")))
    wanted: Any = {"model": f"hf/{model}", "input": ASKED, "tools": [tool(store)], "include": FOUND}
    with client.responses.stream(**wanted) as stream:
        told: list[Any] = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in told]
    assert kinds[:7] == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.file_search_call.in_progress", "response.file_search_call.searching",
        "response.file_search_call.completed", "response.output_item.done",
    ]  # fmt: skip
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert kinds.count("response.output_text.delta") == 2
    (noted,) = [event for event in told if event.type == "response.output_text.annotation.added"]
    assert (noted.output_index, noted.annotation.file_id) == (1, files["w.txt"])
    assert {event.output_index for event in told if hasattr(event, "output_index")} == {0, 1}
    call, message = final.output
    assert call.type == "file_search_call"
    assert call.results
    assert message.content[0].annotations[0].file_id == files["w.txt"]
    assert final.to_dict()["store"] is True
    assert client.responses.retrieve(final.id).output_text == final.output_text


def test_the_local_model_answers_of_files(client: Any) -> None:
    store, _ = filled(client)
    asked: Any = {"model": LOCAL, "input": ASKED, "tools": [tool(store)], "max_output_tokens": 24, "temperature": 0}
    made = client.responses.create(**asked)
    assert made.output[0].type == "file_search_call"
    assert made.output_text
    assert made.usage
    assert made.usage.input_tokens > 40
    streamed: list[Any] = list(client.responses.create(**asked, stream=True))
    final = streamed[-1].response
    assert [item.type for item in final.output] == ["file_search_call", "message"]
    assert final.output_text == "".join(event.delta for event in streamed if event.type == "response.output_text.delta")


def test_under_a_key_it_is_asked_once(client: Any, provider: OpenAIProvider, model: str) -> None:
    store, _ = filled(client)
    asked: Any = {"model": f"hf/{model}", "input": ASKED, "tools": [tool(store)]}
    for stream in (False, True):
        provider.behaviours[model] = sends(events(chunks("Three years."))) if stream else answers("Three years.")
        before, ids = len(provider.received), set()
        for _ in range(2):
            made = client.responses.create(**asked, stream=stream, extra_headers={"idempotency-key": f"k-{stream}"})
            ids.add(list(made)[-1].response.id if stream else made.id)
        assert (len(ids), len(provider.received)) == (1, before + 1)


def test_filters_thresholds_and_other_tools(client: Any, provider: OpenAIProvider, model: str) -> None:
    store, _ = filled(client)

    def found(choice: Any = "auto", others: Any = (), **more: Any) -> set[str]:
        tools = [tool(store, **more), *others]
        made = client.responses.create(
            model=f"hf/{model}", input=ASKED, tools=tools, include=FOUND, tool_choice=choice, store=False
        )
        calls = [item for item in made.output if item.type == "file_search_call"]
        return {str(row.filename) for call in calls for row in call.results or ()}

    assert found() == {"w.txt", "r.txt"}
    assert found(filters={"type": "gte", "key": "year", "value": 2025}) == {"r.txt"}
    assert found(ranking_options={"ranker": "auto", "score_threshold": 1.0}) in (set(), {"w.txt"})
    assert found("none") == set()
    assert found({"type": "file_search"}, max_num_results=1) == {"w.txt"}
    function = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    assert found("required", [function]) == {"w.txt", "r.txt"}
    heard = provider.received[-1]
    assert [one["function"]["name"] for one in heard["tools"]] == ["f"]
    assert heard["tool_choice"] == "auto"


def test_what_is_refused(client: Any, new_tenant: Callable[..., Tenant], model: str) -> None:
    store, other = client.vector_stores.create().id, new_tenant()
    strange = openai.OpenAI(base_url=f"{other.base_url}/v1", api_key=other.key, max_retries=0).vector_stores.create().id
    refused: list[tuple[int, Any]] = [
        (404, [tool("vs_" + "0" * 32)]), (404, [tool("handbook")]), (404, [tool(strange)]),
        (400, [tool(store), tool(store)]), (400, [tool(store, max_num_results=51)]),
        (400, [tool(store, ranking_options={"hybrid_search": {"embedding_weight": 1, "text_weight": 0}})]),
        (400, [tool(store, filters={"type": "like", "key": "a", "value": 1})]), (400, [tool(store, strange=1)]),
        (400, [{"type": "file_search", "vector_store_ids": []}]), (400, [tool(store), {"type": "web_search"}]),
    ]  # fmt: skip
    for status, tools in refused:
        for stream in (False, True):
            with pytest.raises(openai.APIStatusError) as told:
                client.responses.create(model=f"hf/{model}", input=ASKED, tools=tools, stream=stream)
            assert told.value.status_code == status, (tools, told.value.message)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=f"hf/{model}", input=[], tools=[tool(store)])
