"""The signed request context: whatever is wrong with it, the answer is BAD_CONTEXT."""

import base64
import hmac

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import context
from chassis.context import (
    BadContext,
    Keyring,
    Mac,
    MissingKey,
    OperatorOnly,
    RequestContext,
    Signer,
    Verifier,
    derive_key,
)
from chassis.errors import Internal

ROOT = b"a root secret for tests, of some length"
METHOD = "/aisp.auth.v1.AuthService/GetUser"
FULL = RequestContext(
    request_id="req-1",
    tenant_id="tenant-1",
    user_id="user-1",
    key_id="key-1",
    session_id="session-1",
    scopes=("inference", "usage:read"),
    operator=True,
    address="203.0.113.9",
    lease_id="lease-1",
    idempotency_key="once",
    fingerprint="f" * 64,
    purpose="ingest",
    job_id="job-1",
)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def signer(clock: Clock, caller: str = "gateway", callee: str = "auth_service") -> Signer:
    return Signer(Keyring(caller, root=ROOT), callee, clock)


def verifier(clock: Clock, name: str = "auth_service") -> Verifier:
    return Verifier(Keyring(name, root=ROOT), clock)


def test_everything_arrives(clock: Clock) -> None:
    assert verifier(clock).verify(signer(clock).sign(FULL, METHOD), METHOD) == FULL


@given(key=st.binary(min_size=1, max_size=100), message=st.binary(max_size=300))
def test_the_code_is_what_everybody_computes(key: bytes, message: bytes) -> None:
    assert Mac(key).digest(message) == hmac.digest(key, message, "sha256")


def test_what_is_empty_is_not_sent_and_arrives_empty(clock: Clock) -> None:
    bare = RequestContext(request_id="req-1")
    value = signer(clock).sign(bare, METHOD)
    assert len(value) < 200
    assert verifier(clock).verify(value, METHOD) == bare


@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    clock = Clock()
    value = bytearray(signer(clock).sign(FULL, METHOD))
    value[position % len(value)] ^= 1 << bit
    with pytest.raises(BadContext):
        verifier(clock).verify(bytes(value), METHOD)


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(BadContext):
        verifier(Clock()).verify(noise, METHOD)


@pytest.mark.parametrize("payload", [b"[]", b"1", b'"text"', b"null", b"{}", b'{"iss": 7}', b'{"iss": "gateway"}'])
def test_json_that_is_no_context_is_refused(clock: Clock, payload: bytes) -> None:
    with pytest.raises(BadContext):
        verifier(clock).verify(b"\0" * 32 + payload, METHOD)


def signed(claims: dict[str, object]) -> bytes:
    """A value with a right signature around any claims."""
    import hmac

    payload = orjson.dumps(claims)
    return hmac.digest(derive_key(ROOT, "gateway", "auth_service"), payload, "sha256") + payload


GOOD: dict[str, object] = {
    "request_id": "r",
    "iss": "gateway",
    "aud": "auth_service",
    "mth": METHOD,
    "iat": 1_000_000,
    "exp": 1_000_030,
}


def test_the_claims_below_are_good_but_for_one(clock: Clock) -> None:
    assert verifier(clock).verify(signed(GOOD), METHOD).request_id == "r"


@pytest.mark.parametrize("gone", ["request_id", "iss", "aud", "mth", "iat", "exp"])
def test_no_claim_may_be_missing(clock: Clock, gone: str) -> None:
    with pytest.raises(BadContext):
        verifier(clock).verify(signed({k: v for k, v in GOOD.items() if k != gone}), METHOD)


@pytest.mark.parametrize(
    "change",
    [{"aud": "llm_service"}, {"mth": "/x"}, {"iat": "1000000"}, {"exp": None}, {"exp": 999_990}, {"nobody": "knows"}],
)
def test_a_signature_does_not_make_wrong_claims_right(clock: Clock, change: dict[str, object]) -> None:
    with pytest.raises(BadContext):
        verifier(clock).verify(signed(GOOD | change), METHOD)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (30, True), (35, True), (36, False), (-5, True), (-6, False)])
def test_it_lives_thirty_seconds_with_five_of_skew(clock: Clock, seconds: int, good: bool) -> None:
    value = signer(clock).sign(FULL, METHOD)
    clock.now += seconds
    if good:
        assert verifier(clock).verify(value, METHOD) == FULL
    else:
        with pytest.raises(BadContext):
            verifier(clock).verify(value, METHOD)


def test_it_is_for_one_process(clock: Clock) -> None:
    with pytest.raises(BadContext):
        verifier(clock, "llm_service").verify(signer(clock).sign(FULL, METHOD), METHOD)


def test_it_is_for_one_method(clock: Clock) -> None:
    with pytest.raises(BadContext):
        verifier(clock).verify(signer(clock).sign(FULL, METHOD), METHOD + "s")


def test_a_taken_process_speaks_for_nobody_else(clock: Clock) -> None:
    """rag_service, with its own keys only, claims to be the gateway."""
    own = derive_key(ROOT, "rag_service", "auth_service")
    liar = Signer(
        Keyring("gateway", keys={"gateway>auth_service": base64.b64encode(own).decode()}), "auth_service", clock
    )
    with pytest.raises(BadContext):
        verifier(clock).verify(liar.sign(FULL, METHOD), METHOD)


def test_pair_keys_alone_are_enough(clock: Clock) -> None:
    keys = {"gateway>auth_service": base64.b64encode(derive_key(ROOT, "gateway", "auth_service")).decode()}
    value = Signer(Keyring("gateway", keys=keys), "auth_service", clock).sign(FULL, METHOD)
    assert Verifier(Keyring("auth_service", keys=keys), clock).verify(value, METHOD) == FULL


def test_a_process_without_the_pairs_key_cannot_sign(clock: Clock) -> None:
    with pytest.raises(MissingKey, match="gateway>llm_service"):
        Signer(Keyring("gateway", keys={}), "llm_service", clock)


def test_a_root_gives_only_keys_of_its_own_process() -> None:
    ring = Keyring("rag_service", root=ROOT)
    assert ring.key("gateway", "rag_service") == derive_key(ROOT, "gateway", "rag_service")
    assert ring.key("gateway", "auth_service") is None


def test_pairs_have_different_keys_in_each_direction() -> None:
    pairs = [("a", "b"), ("b", "a"), ("a", "a"), ("a", "c")]
    assert len({derive_key(ROOT, *pair) for pair in pairs}) == len(pairs)
    assert all(len(derive_key(ROOT, *pair)) == 32 for pair in pairs)


def test_above_two_kilobytes_it_is_not_sent(clock: Clock) -> None:
    with pytest.raises(Internal):
        signer(clock).sign(FULL._replace(idempotency_key="k" * 2048), METHOD)


def test_above_two_kilobytes_it_is_not_read(clock: Clock) -> None:
    with pytest.raises(BadContext):
        verifier(clock).verify(signed(GOOD | {"address": "x" * 2048}), METHOD)


def test_a_job_acts_without_the_requests_lease_and_answers() -> None:
    job = FULL.for_job("job-9", "ingest")
    assert (job.tenant_id, job.user_id, job.job_id, job.purpose) == ("tenant-1", "user-1", "job-9", "ingest")
    assert (job.lease_id, job.idempotency_key, job.fingerprint) == ("", "", "")


def test_only_operators_are_operators() -> None:
    FULL.require_operator()
    with pytest.raises(OperatorOnly):
        RequestContext(request_id="r").require_operator()


async def test_outside_a_call_there_is_no_context() -> None:
    assert context.current_or_none() is None
    with pytest.raises(Internal):
        context.current()
    context.enter(FULL)
    assert context.current() is FULL
