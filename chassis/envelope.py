"""Secrets at rest: encrypted under a key-encryption key (KEK) that is derived from a secret, by purpose and version.

AES-256-GCM. What a ciphertext belongs to (tenant, row) is bound to it, so that a row copied elsewhere does not open.
A ciphertext names its key, so an old secret can stand beside the new one until everything is encrypted anew.
"""

import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.errors import Internal

_VERSION = b"\x01"
_ID_BYTES = 4
_NONCE_BYTES = 12


class CannotOpen(Internal):
    """A ciphertext whose key is not here, or that belongs elsewhere, or was changed."""


class Envelope:
    """Encrypts and signs for one purpose, under the current secret; opens and checks under previous ones, too."""

    def __init__(self, purpose: str, secret: bytes, previous: Sequence[bytes] = ()) -> None:
        """`purpose`: a label, for example auth_service/signing-keys; keys of two purposes have nothing in common."""
        self._keys = {key.id: key for key in (_Key(purpose, root) for root in (*previous, secret))}
        self._current = _Key(purpose, secret)

    @property
    def key_id(self) -> str:
        """The name of the current key; tells nothing of it."""
        return self._current.id.hex()

    def seal(self, plaintext: bytes, *binding: str) -> bytes:
        """The ciphertext, which opens only with the same binding."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._current.encryption).encrypt(nonce, plaintext, _bound(binding))
        return _VERSION + self._current.id + nonce + sealed

    def open(self, sealed: bytes, *binding: str) -> bytes:
        """The plaintext. CannotOpen."""
        head = len(_VERSION) + _ID_BYTES
        key = self._keys.get(sealed[len(_VERSION) : head]) if sealed.startswith(_VERSION) else None
        if key is None:
            raise CannotOpen
        nonce, rest = sealed[head : head + _NONCE_BYTES], sealed[head + _NONCE_BYTES :]
        try:
            return AESGCM(key.encryption).decrypt(nonce, rest, _bound(binding))
        except (InvalidTag, ValueError) as error:
            raise CannotOpen from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is encrypted under the current key already."""
        return sealed[len(_VERSION) : len(_VERSION) + _ID_BYTES] == self._current.id

    def sign(self, message: bytes) -> bytes:
        """A MAC under the current key."""
        return hmac.digest(self._current.signing, message, "sha256")

    def signed(self, key_id: str, message: bytes, signature: bytes) -> bool | None:
        """Whether the MAC is right; None if its key is not here."""
        key = next((key for key in self._keys.values() if key.id.hex() == key_id), None)
        if key is None:
            return None
        return hmac.compare_digest(hmac.digest(key.signing, message, "sha256"), signature)


class _Key:
    """What is derived from one secret."""

    def __init__(self, purpose: str, root: bytes) -> None:
        self.encryption = _derive(root, f"aisp/kek/v1/{purpose}/encrypt", 32)
        self.signing = _derive(root, f"aisp/kek/v1/{purpose}/sign", 32)
        self.id = _derive(root, f"aisp/kek/v1/{purpose}/name", _ID_BYTES)


def _derive(root: bytes, label: str, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=label.encode()).derive(root)


def _bound(binding: Sequence[str]) -> bytes:
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in binding)
