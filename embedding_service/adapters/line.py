"""Who waits for the local model, and whose batch is next. Knows no model; how fast one is, it is told.

Turns go round between tenants. Within a tenant the call that needs least comes first: a question does not wait for a
thousand texts, and calls that come at once end one after another, not all at the end of their time.
"""

import asyncio
import heapq
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import count

from chassis.resilience import QueueFull
from embedding_service import policy

FORGETS = 0.2
"""How much the last batch counts in the pace."""
MOST_SECONDS = 60
"""Nobody is told to come back later than that."""

Part = tuple["Job", list[int]]
"""A call, and the indexes of its inputs that are in a batch."""


@dataclass(slots=True)
class Job:
    """One call: whose it is, the token ids of its inputs, the batches still to do, and the vectors so far."""

    tenant_id: str
    ids: list[list[int]]
    todo: deque[list[int]]
    left: int
    """Tokens still to be read."""
    vectors: list[bytes]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def leave(self) -> None:
        """Nothing more of it is done."""
        self.todo.clear()
        self.left = 0


class Line:
    """`budget`: padded tokens of a batch. `seconds`: who would wait longer before its turn is refused."""

    def __init__(self, budget: int, seconds: float) -> None:
        self._budget = budget
        self._seconds = seconds
        self._pace = 0.0
        self._tenants: OrderedDict[str, list[tuple[int, int, Job]]] = OrderedDict()
        self._numbers = count()

    def __bool__(self) -> bool:
        """Whether somebody waits."""
        return self._first() is not None

    def join(self, tenant_id: str, ids: list[list[int]]) -> Job:
        """A call that waits from now on. QueueFull, with the seconds after which it would be taken."""
        lengths = list(map(len, ids))
        todo = deque(policy.batches(lengths, self._budget))
        job = Job(tenant_id, ids, todo, sum(lengths), [b""] * len(ids))
        over = self._before(job) - self._seconds
        if over > 0:
            raise QueueFull(retry_after=min(MOST_SECONDS, int(over) + 1))
        self._push(job)
        return job

    def next(self) -> list[Part]:
        """A batch: as many inputs as it may have, of those whose turn it is. Empty where nobody waits."""
        parts: list[Part] = []
        longest = rows = 0
        while (job := self._first()) is not None:
            group = job.todo[0]
            length = max(longest, *(len(job.ids[index]) for index in group))
            if parts and length * (rows + len(group)) > self._budget:
                break
            parts.append((job, job.todo.popleft()))
            longest, rows = length, rows + len(group)
            heapq.heappop(self._tenants[job.tenant_id])
            job.left -= sum(len(job.ids[index]) for index in group)
            if job.todo:
                self._push(job)
            if job.tenant_id in self._tenants:
                self._tenants.move_to_end(job.tenant_id)
        return parts

    def took(self, tokens: int, seconds: float) -> None:
        """How long a batch took."""
        pace = tokens / max(seconds, 1e-6)
        self._pace += (pace - self._pace) * (FORGETS if self._pace else 1)

    def _push(self, job: Job) -> None:
        heapq.heappush(self._tenants.setdefault(job.tenant_id, []), (job.left, next(self._numbers), job))

    def _first(self) -> Job | None:
        """The next call of the tenant whose turn it is; what is over, or left, goes."""
        while self._tenants:
            tenant_id, waiting = next(iter(self._tenants.items()))
            while waiting and not waiting[0][2].todo:
                heapq.heappop(waiting)
            if waiting:
                return waiting[0][2]
            del self._tenants[tenant_id]
        return None

    def _before(self, job: Job) -> float:
        """Seconds that others take before it is done, as the pace has been: those of its tenant that need less, and as
        much of each other tenant as of its own.
        """
        if not self._pace:
            return 0
        lefts = {name: [one.left for _, _, one in waiting] for name, waiting in self._tenants.items()}
        own = sum(left for left in lefts.pop(job.tenant_id, ()) if left <= job.left)
        others = sum(min(sum(one), own + job.left) for one in lefts.values())
        return (own + others) / self._pace
