"""Which row a name means, which deployments can take a call, and in which order they are tried."""

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_service.domain.errors import ModelNotAllowed, ModelNotFound, Unsupported
from llm_service.domain.models import Deployment, Model
from llm_service.domain.tenancy import ModelRules, ProviderKey, Tenancy
from llm_service.policy.names import closest, fits_any, starred
from llm_service.policy.needs import chooses, needs_of
from llm_service.policy.routing import Needs, affinity, check_allowed, find, incapable, ordered, places

OPEN = ("openai", "hf", "anthropic")
EAST = Deployment("openai", "gpt-x", id="east", weight=3, region="eu")
WEST = Deployment("azure", "x", id="west", weight=1, region="us", base_url="https://west.example.com")
SPARE = Deployment("vllm", "x", id="spare", priority=1, base_url="https://spare.example.com")
MODEL = Model("gpt-x", (EAST, WEST, SPARE), capabilities=("chat", "stream", "tools"), context_length=1000)
KEY = ProviderKey("k", "t", "openai", "mine", b"sealed", "")


def named(*names: str) -> dict[str, Model]:
    return {name: Model(name, (Deployment("openai", name),)) for name in names}


@pytest.mark.parametrize(
    ("asked", "row", "upstream"),
    [
        ("gpt-4o", "gpt-4o", "gpt-4o"),
        ("gpt-9-turbo", "gpt-9-turbo", "gpt-9-turbo"),
        ("gpt-4o-2030", "gpt-4o-2030", "gpt-4o-2030"),
        ("openai/gpt-4o", "openai/gpt-4o", "gpt-4o"),
        ("hf/org/name:fastest", "hf/org/name:fastest", "org/name:fastest"),
    ],
)
def test_a_name_is_a_row_or_a_pattern_or_a_providers_own(asked: str, row: str, upstream: str) -> None:
    found = find(named("gpt-4o", "gpt-*", "gpt-4o-*"), OPEN, asked)
    assert (found.name, found.deployments[0].upstream_model) == (row, upstream)


@pytest.mark.parametrize("asked", ["nope", "gpt-*", "azure/x", "openai/", "local/other", "gpt-4/x", ""])
def test_what_means_nothing_is_not_found(asked: str) -> None:
    with pytest.raises(ModelNotFound):
        find(named("gpt-4o", "gpt-4*"), OPEN, asked)


def test_hugging_faces_suffix_chooses_no_other_price() -> None:
    assert find({}, OPEN, "hf/org/name:fastest").price_key == "hf/org/name"


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_a_star_stands_for_any_text(head: str, middle: str, tail: str) -> None:
    head = head.replace("*", "")
    assert starred(f"{head}*{tail}", f"{head}{middle}{tail}") == middle
    assert fits_any([f"{head}*"], head + middle)


def test_the_pattern_that_says_most_is_taken() -> None:
    assert closest(["*", "gpt-*", "gpt-4o-*"], "gpt-4o-mini") == ("gpt-4o-*", "mini")
    assert closest(["hf/*"], "hf/org/name") is None


def test_weights_are_shares_under_a_seed() -> None:
    source = random.Random(7)  # noqa: S311  # shares, no secret
    firsts = Counter(ordered(MODEL.deployments, lambda _: source.random())[0].id for _ in range(4000))
    assert firsts["spare"] == 0
    assert firsts["east"] / firsts["west"] == pytest.approx(3, rel=0.1)
    assert _firsts(7, 20) == _firsts(7, 20)


def _firsts(seed: int, number: int) -> list[str]:
    source = random.Random(seed)  # noqa: S311  # shares, no secret
    return [ordered(MODEL.deployments, lambda _: source.random())[0].id for _ in range(number)]


def test_a_weight_of_nothing_comes_last_of_its_priority() -> None:
    idle = replace(EAST, weight=0)
    source = random.Random(7)  # noqa: S311  # shares, no secret
    assert {ordered((idle, WEST, SPARE), lambda _: source.random())[1].id for _ in range(50)} == {"east"}


def test_calls_that_begin_alike_stay_together_and_move_only_when_their_deployment_goes() -> None:
    pool = tuple(replace(EAST, id=f"d{number}", weight=1) for number in range(4))
    bodies = [f'{{"messages":"{number}"}}'.encode() for number in range(200)]
    before = {body: ordered(pool, affinity("t", body))[0].id for body in bodies}
    assert set(before.values()) == {"d0", "d1", "d2", "d3"}
    assert before == {body: ordered(pool, affinity("t", body))[0].id for body in bodies}
    after = {body: ordered(pool[:3], affinity("t", body))[0].id for body in bodies}
    assert all(after[body] == before[body] for body in bodies if before[body] != "d3")
    assert any(ordered(pool, affinity("other", body))[0].id != before[body] for body in bodies)


def test_a_tenants_key_serves_alone_unless_it_falls_back() -> None:
    tenancy = Tenancy(keys={"openai": KEY})
    assert [(one.id, key) for one, key in places(MODEL, tenancy, Needs())] == [("east", KEY)]
    falling = replace(KEY, falls_back=True)
    found = places(MODEL, Tenancy(keys={"openai": falling}), Needs())
    assert [(one.id, key is not None) for one, key in found] == [("east", True), ("west", False), ("spare", False)]


def test_a_key_with_an_address_goes_there_and_is_watched() -> None:
    key = replace(KEY, base_url="https://models.example.com/v1")
    ((deployment, _),) = places(MODEL, Tenancy(keys={"openai": key}), Needs())
    assert (deployment.base_url, deployment.foreign) == ("https://models.example.com/v1", True)


def test_a_key_never_goes_to_an_operators_address() -> None:
    key = replace(KEY, provider="azure")
    assert all(found is None for _, found in places(MODEL, Tenancy(keys={"azure": key}), Needs()))


def test_regions_and_costs_choose_among_the_platforms_deployments() -> None:
    rules = ModelRules(regions=("eu",))
    assert [one.id for one, _ in places(MODEL, Tenancy(rules), Needs())] == ["east"]
    with pytest.raises(ModelNotAllowed):
        places(MODEL, Tenancy(ModelRules(regions=("mars",))), Needs())
    dear = replace(MODEL, deployments=(replace(EAST, cost_nano_usd_per_million=10), SPARE))
    cheap = Tenancy(ModelRules(max_cost_nano_usd_per_million=9))
    assert [one.id for one, _ in places(dear, cheap, Needs())] == ["spare"]


def test_what_a_call_needs_chooses_among_deployments() -> None:
    blind = replace(EAST, capabilities=("tools",))
    seeing = replace(WEST, capabilities=("tools", "vision"), context_length=100)
    model = replace(MODEL, deployments=(blind, seeing))
    assert [one.id for one, _ in places(model, Tenancy(), Needs(frozenset({"vision"})))] == ["west"]
    assert [one.id for one, _ in places(model, Tenancy(), Needs(tokens=500))] == ["east"]
    # Too long for all of them by an estimate: the provider is asked, and says so itself.
    assert len(places(model, Tenancy(), Needs(tokens=5000))) == 2
    with pytest.raises(Unsupported):
        places(model, Tenancy(), Needs(frozenset({"logprobs"})))
    assert chooses(model)
    assert not chooses(Model("x", (EAST,)))


def test_what_a_model_is_said_to_lack_is_refused_by_its_field() -> None:
    model = replace(MODEL, deployments=(EAST,))
    assert places(model, Tenancy(), needs_of(b'{"tools":[{}]}'))
    needs = needs_of(b'{"messages":[{"content":[{"type":"image_url"}]}],"tools":[{}]}')
    with pytest.raises(Unsupported) as caught:
        places(model, Tenancy(), needs)
    assert caught.value.metadata["param"] == "messages"
    assert "Models that can: a, b." in incapable(model, needs, ["a", "b"]).message
    # Of whom nothing is said is asked, and says it itself.
    assert places(replace(model, capabilities=()), Tenancy(), needs)


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        (b'{"tools":[{}]}', {"tools"}),
        (b'{"tools":[]}', set()),
        (b'{"response_format":{"type":"json_schema"}}', {"json_schema"}),
        (b'{"text":{"format":{"type":"json_schema"}}}', {"json_schema"}),
        (b'{"messages":[{"content":[{"type":"image_url"}]}]}', {"vision"}),
        (b'{"messages":[{"content":"say \\"image\\""}]}', set()),
        (b'{"tools":[{"enum":["image"]}]}', {"tools"}),
        (b'{"functions":[{}]}', {"tools"}),
        (b'{"modalities":["text","audio"]}', {"audio"}),
        (b'{"messages":[{"content":[{"type":"input_audio"},{"type":"file"},{"type":"text"}]}]}', {"audio", "files"}),
        (b'{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}', {"vision"}),
        (b'{"messages":[{"content":[{"type":"document","source":{"type":"text"}}]}]}', set()),
        (b'{"messages":[{"content":[{"type":"document","source":{"type":"base64"}}]}]}', {"files"}),
        (b'{"input":[{"content":[{"type":"input_image"}]},{"output":[{"type":"input_file"}]}]}', {"vision", "files"}),
        (b'{"include":["message.output_text.logprobs"]}', {"logprobs"}),
        (b'{"logprobs":false,"include":[]}', set()),
        (b'{"output_config":{"format":{"type":"json_schema"}}}', {"json_schema"}),
        (b"not json", set()),
        (b"[]", set()),
    ],
)
def test_what_a_document_needs(body: bytes, needed: set[str]) -> None:
    assert needs_of(body).capabilities == needed


def test_rules_are_of_the_operator_and_of_the_tenant() -> None:
    granted = ModelRules(granted=("gpt-*", "local/*"))
    check_allowed(granted, "gpt-4o", "gpt-4o")
    check_allowed(granted, "fast", "gpt-4o")
    for rules, name in [
        (granted, "claude-x"),
        (replace(granted, allowed=("local/*",)), "gpt-4o"),
        (ModelRules(()), "a"),
    ]:
        with pytest.raises(ModelNotAllowed):
            check_allowed(rules, name, name)
    # An alias is the tenant's own word: it opens what the tenant allows, and nothing that an operator does not grant.
    check_allowed(ModelRules(allowed=("fast",)), "fast", "gpt-4o")
    with pytest.raises(ModelNotAllowed):
        check_allowed(granted, "gpt-mine", "claude-x")
