"""Keys: a child does no more than its parent; networks and models are checked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.domain.errors import KeyTooWide
from auth_service.domain.keys import ApiKey
from auth_service.policy.keys import check_models, check_networks, key_id_of, new_key_id, new_key_secret, within
from chassis.errors import InvalidArgument
from gateway.verdicts import AddressNotAllowed, Caller, ModelNotAllowed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3).map(tuple)
NETWORKS = st.lists(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "2001:db8::/32"]), max_size=2).map(
    tuple
)
LIMITS = st.dictionaries(st.sampled_from(["requests_per_minute", "tokens_per_day"]), st.integers(0, 9))
ENDS = st.none() | st.integers(1, 9).map(lambda days: NOW + timedelta(days=days))


def key(**fields: Any) -> ApiKey:
    known: dict[str, Any] = {
            "id": "k", "tenant_id": "t", "user_id": "u", "name": "n", "prefix": "p", "scopes": (), "limits": {},
            "models": (), "networks": (), "answer_cache_seconds": 0,
            "version": 0, "created_at": NOW, "expires_at": None,
    }  # fmt: skip
    return ApiKey(**known | fields)


keys = st.builds(key, limits=LIMITS, models=MODELS, networks=NETWORKS, expires_at=ENDS)


@given(keys, keys)
def test_a_child_is_never_wider_than_its_parent(parent: ApiKey, wanted: ApiKey) -> None:
    try:
        child = within(parent, wanted)
    except KeyTooWide:
        return
    assert not parent.models or (child.models and set(child.models) <= set(parent.models))
    assert not parent.networks or child.networks
    assert all(child.limits[name] <= most for name, most in parent.limits.items())
    assert parent.expires_at is None or (child.expires_at is not None and child.expires_at <= parent.expires_at)
    assert within(parent, child) == child


@pytest.mark.parametrize(
    "wide",
    [
        {"models": ("a", "z")},
        {"networks": ("0.0.0.0/0",)},
        {"networks": ("::/0",)},
        {"limits": {"requests_per_minute": 11}},
        {"expires_at": NOW + timedelta(days=3)},
    ],
    ids=str,
)
def test_asking_for_more_is_refused(wide: dict[str, Any]) -> None:
    parent = key(
        models=("a",),
        networks=("10.0.0.0/8",),
        limits={"requests_per_minute": 10},
        expires_at=NOW + timedelta(days=2),
    )
    with pytest.raises(KeyTooWide) as caught:
        within(parent, key(**wide))
    assert [one.field for one in caught.value.violations] == list(wide)


@pytest.mark.parametrize(
    "bad", ["10.0.0.1/8", "10.0.0.0/33", "x", "", "10.0.0.0/8 ", "localhost", "\u0661\u0660.0.0.0/8"]
)
def test_what_is_no_network_is_refused(bad: str) -> None:
    with pytest.raises(InvalidArgument):
        check_networks([bad])


def test_networks_and_models_are_bounded_and_normal() -> None:
    assert check_networks(["192.0.2.7", "::ffff:192.0.2.0/120"]) == ("192.0.2.7/32", "192.0.2.0/24")
    for check in (check_networks, check_models):
        with pytest.raises(InvalidArgument):
            check(["10.0.0.0/8"] * 65)
    with pytest.raises(InvalidArgument):
        check_models(["a b"])


def test_a_key_is_used_from_its_networks_with_its_models_only() -> None:
    import ipaddress

    caller = Caller("t", "u", "k", models=frozenset({"a"}), networks=(ipaddress.ip_network("192.0.2.0/24"),))
    caller.require_address("192.0.2.9")
    for address in ("192.0.3.1", "", "2001:db8::1", "nonsense"):
        with pytest.raises(AddressNotAllowed):
            caller.require_address(address)
    caller.require_model("a", chosen=True)
    caller.require_model("", chosen=False)
    for model in ("b", ""):
        with pytest.raises(ModelNotAllowed):
            caller.require_model(model, chosen=True)


@given(st.data())
def test_a_typing_error_is_refused_without_a_lookup(data: st.DataObject) -> None:
    secret = new_key_secret(new_key_id(), live=True)
    assert key_id_of(secret)
    place = data.draw(st.integers(0, len(secret) - 1))
    wrong = data.draw(st.characters(codec="ascii").filter(lambda letter: letter != secret[place]))
    assert key_id_of(secret[:place] + wrong + secret[place + 1 :]) is None
