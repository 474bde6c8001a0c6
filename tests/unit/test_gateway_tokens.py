"""Hostile access tokens (RFC 8725): each is a 401, under the shared secret and under key pairs alike."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from aisp.auth.v1 import signing_pb2 as pb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.tokens import (
    BadToken,
    PublishedKeys,
    SharedSecret,
    TokenExpired,
    TokenKeys,
    TokenRules,
    TokenVerifier,
)

SECRET = b"s" * 40
PAIR = Ed25519PrivateKey.generate()
PUBLIC = PAIR.public_key()
RULES = TokenRules("aisp", "aisp", 5.0)
HEADER = {"typ": "at+jwt"}
KIDS = {"HS256": "hs256-1", "EdDSA": "ed25519-a"}
KEYS: dict[str, Any] = {"HS256": SECRET, "EdDSA": PAIR}


class Published:
    """The auth service's answer about keys."""

    def __init__(self) -> None:
        self.asked = 0
        self.ListSigningKeys: Callable[..., Any] = self._answer

    async def _answer(self, _request: Any, **_: Any) -> pb.ListSigningKeysResponse:
        self.asked += 1
        return pb.ListSigningKeysResponse(keys=[pb.SigningKey(id="ed25519-a", public_key=PUBLIC.public_bytes_raw())])


def verifier(algorithm: str) -> TokenVerifier:
    keys: TokenKeys = SharedSecret(SECRET) if algorithm == "HS256" else PublishedKeys(Published())
    return TokenVerifier(keys, RULES)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {"iss": "aisp", "aud": "aisp", "iat": now, "nbf": now, "exp": now + 900}
    told |= {"jti": "j", "sid": "s", "sub": "u", "tid": "t"} | changed
    return {name: value for name, value in told.items() if value is not ...}


def made(algorithm: str, told: dict[str, Any] | None = None, **header: Any) -> str:
    head = HEADER | {"kid": KIDS[algorithm]} | header
    return jwt.encode(told or claims(), KEYS[algorithm], algorithm, headers={k: v for k, v in head.items() if v != ...})


def raw(header: Any, payload: Any, signature: bytes = b"") -> str:
    parts = [json.dumps(part).encode() for part in (header, payload)] + [signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def hmac_with(key: bytes, kid: str) -> str:
    head = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
    signed = raw(head, claims()).rpartition(".")[0]
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed.encode(), key)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def other(algorithm: str) -> str:
    return "EdDSA" if algorithm == "HS256" else "HS256"


PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
HOUR = 3600
HOSTILE: dict[str, Callable[[str], str]] = {
    "alg none": lambda a: raw({"alg": "none", "typ": "at+jwt", "kid": KIDS[a]}, claims()),
    "alg None": lambda a: raw({"alg": "None", "typ": "at+jwt", "kid": KIDS[a]}, claims()),
    "alg none with a signature": lambda a: raw({"alg": "none", "typ": "at+jwt", "kid": KIDS[a]}, claims(), b"x" * 32),
    "no alg": lambda a: raw({"typ": "at+jwt", "kid": KIDS[a]}, claims(), b"x" * 32),
    "alg a list": lambda a: raw({"alg": [a], "typ": "at+jwt", "kid": KIDS[a]}, claims(), b"x" * 32),
    "the other algorithm, its own key": lambda a: made(other(a)),
    "the other algorithm, this kid": lambda a: made(other(a), kid=KIDS[a]),
    "HS256 with the public key raw": lambda a: hmac_with(PUBLIC.public_bytes_raw(), KIDS[a]),
    "HS256 with the public key as PEM": lambda a: hmac_with(PEM, KIDS[a]),
    "HS256 with the public key as DER": lambda a: hmac_with(DER, KIDS[a]),
    "HS256 with an empty key": lambda a: hmac_with(b"", KIDS[a]),
    "HS512 with the secret": lambda a: jwt.encode(claims(), b"s" * 64, "HS512", HEADER | {"kid": KIDS[a]}),
    "another pair of keys": lambda a: jwt.encode(
        claims(), Ed25519PrivateKey.generate(), "EdDSA", HEADER | {"kid": KIDS[a]}
    ),
    "another secret": lambda a: hmac_with(b"t" * 40, KIDS[a]),
    "unknown kid": lambda a: made(a, kid="nobody"),
    "kid a path": lambda a: made(a, kid="../../dev/null"),
    "kid with SQL": lambda a: made(a, kid="' OR 1=1 --"),
    "no kid": lambda a: made(a, kid=...),
    "kid a number": lambda a: raw({"alg": a, "typ": "at+jwt", "kid": 1}, claims(), b"x" * 32),
    "typ JWT": lambda a: made(a, typ="JWT"),
    "typ of a refresh token": lambda a: made(a, typ="rt+jwt"),
    "unknown crit": lambda a: made(a, crit=["exp"]),
    "empty crit": lambda a: made(a, crit=[]),
    "jku": lambda a: made(a, jku="https://evil.example/jwks.json"),
    "x5u": lambda a: made(a, x5u="https://evil.example/cert.pem"),
    "jwk of its own": lambda a: made(a, jwk={"kty": "oct", "k": "c2VjcmV0"}),
    "b64 false": lambda a: raw(
        {"alg": a, "typ": "at+jwt", "kid": KIDS[a], "b64": False, "crit": ["b64"]}, claims(), b"x" * 32
    ),
    "wrong issuer": lambda a: made(a, claims(iss="evil")),
    "wrong audience": lambda a: made(a, claims(aud="other")),
    "audience a list": lambda a: made(a, claims(aud=["aisp", "other"])),
    **{f"no {name}": (lambda a, name=name: made(a, claims(**{name: ...}))) for name in claims()},  # type: ignore[misc]
    "expired": lambda a: made(a, claims(exp=int(time.time()) - 10)),
    "not yet": lambda a: made(a, claims(nbf=int(time.time()) + HOUR)),
    "issued tomorrow": lambda a: made(a, claims(iat=int(time.time()) + 24 * HOUR)),
    "exp as text": lambda a: made(a, claims(exp=str(int(time.time()) + HOUR))),
    "exp a float": lambda a: made(a, claims(exp=time.time() + HOUR)),
    "exp true": lambda a: made(a, claims(exp=True)),
    "tid a list": lambda a: made(a, claims(tid=["t"])),
    "sid empty": lambda a: made(a, claims(sid="")),
    "sub a number": lambda a: made(a, claims(sub=1)),
    "a changed payload": lambda a: ".".join(
        [made(a).split(".")[0], raw({}, claims(tid="victim")).split(".")[1], made(a).split(".")[2]]
    ),
    "a cut signature": lambda a: made(a)[:-4],
    "no signature": lambda a: made(a).rpartition(".")[0] + ".",
    "four parts": lambda a: made(a) + ".x",
    "2 MB": lambda a: made(a, claims(x="y" * 2_000_000)),
    "not base64": lambda a: "!!!." + made(a).partition(".")[2],
    "header no object": lambda _: raw([], claims(), b"x" * 32),
    "header deep": lambda _: base64.urlsafe_b64encode(b"[" * 300).decode().rstrip("=") + ".e30.eA",
    "nothing but dots": lambda _: "..",
}


@pytest.mark.parametrize("algorithm", KIDS)
async def test_a_good_token_is_good(algorithm: str) -> None:
    assert (await verifier(algorithm).verify(made(algorithm)))["tid"] == "t"


@pytest.mark.parametrize("algorithm", KIDS)
@pytest.mark.parametrize("attack", HOSTILE)
async def test_a_hostile_token_is_refused(attack: str, algorithm: str) -> None:
    with pytest.raises((BadToken, TokenExpired)):
        await verifier(algorithm).verify(HOSTILE[attack](algorithm))


@pytest.mark.parametrize("algorithm", KIDS)
async def test_clocks_may_differ_by_the_leeway_and_no_more(algorithm: str) -> None:
    now = int(time.time())
    await verifier(algorithm).verify(made(algorithm, claims(exp=now - 1)))
    await verifier(algorithm).verify(made(algorithm, claims(nbf=now + 4, iat=now + 4)))


async def test_invented_key_ids_do_not_become_calls() -> None:
    stub = Published()
    keys = PublishedKeys(stub)
    assert await keys.find("ed25519-a") is not None
    for number in range(100):
        assert await keys.find(f"invented-{number}") is None
    assert stub.asked <= 2
