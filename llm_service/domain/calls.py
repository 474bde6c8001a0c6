"""One call of a model: the client's document and what was decided about it, the answer, and how it ended."""

from asyncio import Future
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from llm_service.domain.models import Deployment, Health, Retirement


class Format(Enum):
    """A public wire format."""

    CHAT_COMPLETIONS = "chat_completions"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a call used. `input` includes `cached` and `cache_written`, `output` includes `reasoning`. `searches` are no
    tokens: the provider made them in the web.
    """

    input: int = 0
    cached: int = 0
    """Served from the provider's prompt cache."""
    output: int = 0
    cache_written: int = 0
    """Written to the provider's prompt cache."""
    reasoning: int = 0
    searches: int = 0


@dataclass(slots=True)
class Tally:
    """Counts the attempts of one call, over retries and fallbacks."""

    attempts: int = 0
    alternatives: bool = False
    """Whether another deployment can take over at once: then nobody waits for one that says so."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a client said of the format beside its document, in headers."""

    version: str = ""
    features: tuple[str, ...] = ()


PLAIN = Dialect()


@dataclass(frozen=True, slots=True)
class Caching:
    """That an answer may come out of the cache, and be kept in it."""

    max_age_seconds: int
    refresh: bool = False
    """Whether it must be made anew."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request: the client's document, and what was decided about it."""

    model: str
    body: bytes
    format: Format = Format.CHAT_COMPLETIONS
    include_usage: bool = False
    tenant_id: str = ""
    request_id: str = ""
    """Whose call it is, and under which request: out of the signed context."""
    tally: Tally = field(default_factory=Tally)
    dialect: Dialect = PLAIN
    caching: Caching | None = None
    max_output_tokens: int = 0
    """What the model writes at most, as the catalogue has it; 0: not known."""
    asks_usage: bool = True
    """Whether the provider of a stream is asked what it used, though the client did not."""
    admission: Future[None] | None = None
    """Of a call that came before the meter had admitted it: done once it has."""

    async def admitted(self) -> None:
        """Returns once the call is. Whoever asks somebody outside, or takes what others could have, waits for it."""
        if self.admission is not None:
            await self.admission

    @property
    def dropped(self) -> bool:
        """Whether it ended without having been admitted."""
        return self.admission is not None and self.admission.cancelled()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended."""

    tokens: Tokens
    finish_reason: str
    estimated: bool = False
    """The provider did not say what was used."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: the document, and how the call ended."""

    body: bytes
    ending: Ending


OWN = "own:"
"""Before the provider's name, wherever it is told, of what a tenant's own key paid for: it has no price of ours."""


@dataclass(frozen=True, slots=True)
class Served:
    """Who answers, and which attempt it is. `model`: as the ledger calls it."""

    model: str
    deployment: Deployment
    attempts: int
    age_seconds: int | None = None
    """Of an answer out of the cache; None: it was made for this call."""
    retirement: Retirement | None = None
    """Of the model."""

    @property
    def provider(self) -> str:
        """As the ledger calls it."""
        credential = self.deployment.credential
        return f"{OWN if credential and credential.tenant_id else ''}{self.deployment.provider}"


Hold = Future[None] | None
"""What to wait for before more is written, or None: it is never cancelled, being others' too."""


class Out(Protocol):
    """Where the events of a stream go as they come. Writing does not wait: a chunk costs no task's step."""

    started: bool
    """Whether anything was written: from then on no other attempt can take over."""

    def write(self, events: bytes) -> Hold:
        """Whole server-sent events."""


class Sink(Protocol):
    """The same, where it is told who answers."""

    def begin(self, served: Served) -> None:
        """Who answers: once, before anything is written."""

    def write(self, events: bytes) -> Hold:
        """Whole server-sent events."""


class Generator(Protocol):
    """What answers calls, wherever their models are. Wrapped for guardrails and for the cache of answers."""

    async def complete(self, call: Call) -> tuple[Answer, Served]:
        """The answer. ModelNotFound, or what the last deployment failed with."""

    async def stream(self, call: Call, sink: Sink) -> Ending:
        """Tells who answers, writes events as they come, and returns once they have ended. Cancelling it cancels the
        call.
        """


class InputCounter(Protocol):
    """A provider that counts what its models would read."""

    def counts(self, form: Format) -> bool:
        """Whether it counts documents of this format."""

    async def count(self, deployment: Deployment, call: Call) -> int | None:
        """Tokens; None where it does not count. One of the Provider* errors, BadDocument or Unsupported."""


class LanguageModel(Protocol):
    """A provider of models. Wrapped for translation, retry, breaker and limits; adapters have none of these."""

    def speaks(self, form: Format) -> bool:
        """Whether it takes documents of this format as they are."""

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        """One of the Provider* errors, BadDocument or Unsupported."""

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        """Writes events as they come, and returns once they have ended. Errors as above; cancelling it cancels the
        call.
        """

    def health(self, deployment: Deployment) -> Health:
        """Without asking the provider."""
