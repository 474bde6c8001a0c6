"""What was found out about single servers by asking them: bounded, and forgotten after a while or when the catalogue
changes.
"""

from collections.abc import Callable

from llm_service.domain.models import Deployment

REMEMBERED_SECONDS = 600.0
MOST_REMEMBERED = 10_000


class Learned:
    """Facts, each by its name, about deployments."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def knows(self, fact: str, deployment: Deployment) -> bool:
        """Whether it was learned, not too long ago."""
        return bool(self._until) and self._until.get((fact, deployment.key), 0) > self._clock()

    def learn(self, fact: str, deployment: Deployment) -> None:
        """For some minutes: then the server is tried again."""
        if self.knows(fact, deployment):
            return
        # Clients may invent models behind a provider's prefix: what is remembered of them is bounded.
        if len(self._until) >= MOST_REMEMBERED:
            self._until.clear()
        self._until[fact, deployment.key] = self._clock() + REMEMBERED_SECONDS

    def forget(self) -> None:
        """All of it: what was said of a deployment may have been changed."""
        self._until.clear()
