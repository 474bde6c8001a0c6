"""The text of the meter's function library."""

import hashlib

from usage_service.adapters import library

DIGEST = "efeb89b990b22023"


def test_another_text_is_another_revision() -> None:
    """Another text with the same functions needs the next REVISION, with others the next VERSION: else two processes of
    a rollout would put their own back again and again.
    """
    assert hashlib.sha256(library.source().encode()).hexdigest()[:16] == DIGEST


def test_a_text_tells_its_revision() -> None:
    assert library.revision_of(library.source()) == library.REVISION
    assert library.revision_of("#!lua name=x") == 0
