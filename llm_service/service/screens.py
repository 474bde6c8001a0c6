"""What a call's texts pass: a tenant's guardrails, ready to judge, and read again often enough to be in force soon."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog
from prometheus_client import Counter

from chassis.errors import PlatformError
from llm_service.domain.errors import GuardrailRefused
from llm_service.domain.guardrails import Action, Guard, GuardMaker, Guardrail, Passage, Phase, Report
from llm_service.domain.store import Store
from llm_service.policy.guardrails import release_at, rewritten, settled
from llm_service.policy.texts.slots import Slot

log = structlog.get_logger()

JUDGED = Counter("aisp_llm_guardrails_total", "Texts in which guardrails found something", ["kind", "phase", "action"])
MAX_TENANTS = 10_000
AHEAD = 0.75
"""Of the time that rows may be old: from then on they are read again."""
STALE_SECONDS = 60.0
"""While the database is away, what was known of a tenant holds for so long."""


Meant = Callable[[str, str], Awaitable[frozenset[str]]]
"""Of a tenant and a name of a model: every name of the same."""


class Refused(Exception):  # named by what happened
    """A guardrail holds a text back."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Screen:
    """The guards of one phase, in order."""

    phase: Phase
    guards: Sequence[tuple[Guardrail, Guard]]

    async def slots(self, slots: Iterable[Slot], passage: Passage) -> bool:
        """Judges the texts of a document and writes back what is left of them: whether any changed. Refused."""
        changed = False
        for slot in slots:
            text = slot.text
            left, _ = await self.pass_through(replace(passage, text=text))
            if left != text:
                slot.put(left)
                changed = True
            passage = replace(passage, before=passage.before + len(text))
        return changed

    async def pass_through(self, passage: Passage, found: dict[str, int] | None = None) -> tuple[str, int]:
        """What is left of a text, and where in it something begins that is not decided yet. Refused."""
        pending = None
        for guardrail, guard in self.guards:
            judgement = await guard.judge(passage)
            spans = settled(passage, judgement.spans)
            if len(spans) < len(judgement.spans):
                # Only the last can be open; from its start on, counted from the end, nothing is changed.
                left = len(passage.text) - judgement.spans[-1].start
                pending = left if pending is None else max(pending, left)
            if not judgement.found or (judgement.spans and not spans):
                continue
            self._tell(guardrail, judgement.action)
            if found is not None:
                found[guardrail.name] = found.get(guardrail.name, 0) + judgement.found
            if judgement.action is Action.REFUSE:
                raise Refused(guardrail.name)
            if judgement.action is Action.REWRITE:
                passage = replace(passage, text=rewritten(passage.text, spans))
        return passage.text, len(passage.text) - (pending or 0)

    async def release(self, passage: Passage, window: int) -> tuple[str, str]:
        """Of an unfinished text: what may go out, and what is held back. Refused."""
        text, pending = await self.pass_through(passage)
        cut = len(text) if passage.final else release_at(text, window, pending)
        return text[:cut], text[cut:]

    def _tell(self, guardrail: Guardrail, action: Action) -> None:
        JUDGED.labels(guardrail.kind.value, self.phase.value, action.value).inc()
        # Never the text: it is what must not get about.
        log.info("a guardrail found something", guardrail_id=guardrail.id, action=action.value, phase=self.phase.value)


@dataclass(frozen=True, slots=True)
class Screens:
    """Of one tenant and one model. An empty one lets everything pass."""

    input: Screen
    output: Screen


class ScreenBook:
    """Screens by tenant: rows are never older than `seconds`; guards are made anew only for rows that changed.

    The rows of a tenant that calls are read again before they are that old, behind its calls, and once for all of them.
    """

    def __init__(
        self,
        store: Store,
        maker: GuardMaker,
        meant: Meant,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._meant = meant
        self._maker = maker
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading: dict[str, asyncio.Task[_Known]] = {}

    async def of(self, tenant_id: str, model: str) -> Screens | None:
        """None where nothing is to be judged. DatabaseUnavailable where nothing is known of the tenant."""
        known = self._known.get(tenant_id)
        age = self._seconds if known is None else self._clock() - known.read_at
        if age >= AHEAD * self._seconds:
            reading = self._read_once(tenant_id, known)
            if known is None or age >= self._seconds:
                # Who waits may leave; the others go on waiting.
                known = await asyncio.shield(reading)
        assert known is not None
        if not known.guards:
            return None
        mine = [pair for pair in known.guards if await is_for(pair[0], model, self._meant)]
        return screens(mine) if mine else None

    def _read_once(self, tenant_id: str, known: "_Known | None") -> "asyncio.Task[_Known]":
        reading = self._reading.get(tenant_id)
        if reading is None:
            reading = self._reading[tenant_id] = asyncio.create_task(self._read(tenant_id, known))
            reading.add_done_callback(lambda done: self._has_read(tenant_id, done))
        return reading

    def _has_read(self, tenant_id: str, done: "asyncio.Task[_Known]") -> None:
        del self._reading[tenant_id]
        if not done.cancelled():
            # Who waits for it is told; where nobody does, the next call asks again.
            done.exception()

    async def _read(self, tenant_id: str, known: "_Known | None") -> "_Known":
        now = self._clock()
        try:
            async with self._store.transaction(tenant_id) as repository:
                rows = await repository.list_guardrails(tenant_id)
        except PlatformError as error:
            if known is None or now - known.read_at > STALE_SECONDS:
                raise
            log.warning("guardrails were not read again", reason=error.reason)
            return known
        made = {row.id: (row, guard) for row, guard in known.guards} if known else {}
        guards = []
        for row in rows:
            # Rows are values: an unchanged one keeps its guard, whose expressions are compiled.
            there = made.get(row.id)
            if row.enabled:
                guards.append(there if there and there[0] == row else (row, self._maker.make(row)))
        fresh = self._known[tenant_id] = _Known(now, guards)
        self._known.move_to_end(tenant_id)
        while len(self._known) > MAX_TENANTS:
            self._known.popitem(last=False)
        return fresh


@dataclass(frozen=True, slots=True)
class _Known:
    read_at: float
    guards: Sequence[tuple[Guardrail, Guard]]


async def is_for(guardrail: Guardrail, model: str, meant: Meant) -> bool:
    """Whether a guardrail is for a model: also under another name, by which it would be passed by otherwise."""
    if not guardrail.models or model in guardrail.models:
        return True
    names = await meant(guardrail.tenant_id, model)
    return any([bool(names & await meant(guardrail.tenant_id, name)) for name in guardrail.models])


def screens(guards: Sequence[tuple[Guardrail, Guard]]) -> Screens:
    """Both phases of some guards."""

    def of(phase: Phase) -> Screen:
        return Screen(phase, [pair for pair in guards if phase in pair[0].phases])

    return Screens(of(Phase.INPUT), of(Phase.OUTPUT))


async def report(screen: Screen, text: str, model: str) -> Report:
    """What a screen would do to a text. GuardrailUnavailable."""
    found: dict[str, int] = {}
    try:
        left, _ = await screen.pass_through(Passage(text, screen.phase, model), found)
    except Refused:
        return Report(Action.REFUSE, "", found)
    return Report(Action.ALLOW if left == text else Action.REWRITE, left, found)


def refusal(refused: Refused) -> GuardrailRefused:
    """The error that a caller gets."""
    return GuardrailRefused(f"The guardrail {refused.name} refuses the request.", metadata={"code": "content_filter"})
