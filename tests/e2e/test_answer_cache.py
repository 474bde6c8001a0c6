"""The cache of answers over HTTP, with the local model and the ledger."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.conftest import Tenant
from tests.promptness import PATIENCE

CHAT = "local/smollm2-135m-instruct"
PATH = "/v1/chat/completions"


def ask(tenant: Tenant, text: str, wish: str = "max-age=600", **more: Any) -> httpx.Response:
    body = {"model": CHAT, "messages": [{"role": "user", "content": text}], "max_tokens": 12, **more}
    answer = tenant.client.post(PATH, json=body, headers={"x-aisp-cache": wish})
    assert answer.status_code == 200, answer.text
    return answer


def test_a_hit_is_the_same_answer_with_its_age_and_is_metered_as_a_hit(tenant: Tenant) -> None:
    text = f"Say hello {uuid4()}."
    made, hit = ask(tenant, text), ask(tenant, text)
    assert "x-aisp-cache" not in made.headers
    assert (hit.headers["x-aisp-cache"], hit.content) == ("hit", made.content)
    assert 0 <= int(hit.headers["age"]) < 60
    again = ask(tenant, text, "refresh")
    assert "age" not in again.headers
    assert "age" not in ask(tenant, text, "off").headers
    deadline = time.monotonic() + PATIENCE
    lines: list[Any] = []
    while not any(line["unit"] == "cache_hits" for line in lines) and time.monotonic() < deadline:
        time.sleep(0.2)
        events = tenant.client.get("/api/v1/usage/events").json()["data"]
        lines = [line for event in events for line in event["lines"]]
    [line] = [line for line in lines if line["unit"] == "cache_hits"]
    assert (line["provider"], line["amount"], line["cost_nano_usd"]) == ("cache", 1, 10_000)


def test_streams_come_out_of_the_cache_and_other_tenants_do_not_see_them(tenant: Tenant, new_tenant: Any) -> None:
    text = f"Say hello {uuid4()}."
    made, hit = ask(tenant, text, stream=True), ask(tenant, text, stream=True)
    assert hit.headers["x-aisp-cache"] == "hit"
    assert [line for line in hit.text.splitlines() if line] == [line for line in made.text.splitlines() if line]
    assert "age" not in ask(new_tenant(), text, stream=True).headers


def test_a_question_is_asked_once_at_a_time(tenant: Tenant) -> None:
    text = f"Tell a story {uuid4()}."
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(tenant, text, stream=True), range(8)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("age" not in answer.headers for answer in answers) == 1


def test_what_cannot_be_a_wish_is_refused(tenant: Tenant) -> None:
    body = {"model": CHAT, "messages": [{"role": "user", "content": "hi"}]}
    for wish in ("yes", "max-age=0", "max-age=-1", "max-age=99999999999"):
        refused = tenant.client.post(PATH, json=body, headers={"x-aisp-cache": wish})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "x-aisp-cache")
