"""Counts attempts before anything costly is done for them."""

from auth_service.domain.attempts import Bucket
from auth_service.domain.errors import TooManyAttempts
from auth_service.domain.people import Account
from auth_service.domain.store import Repository, Store
from auth_service.policy import attempts
from auth_service.policy.attempts import AttemptRules
from auth_service.service.clock import Clock

NOBODY = "00000000-0000-0000-0000-000000000000"


class Attempts:
    """An attempt is counted when it begins, and forgiven when it was right: many at once get no more than in a row."""

    def __init__(self, store: Store, rules: AttemptRules, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock

    async def begin_log_in(self, email: str, address: str) -> tuple[Account | None, tuple[Bucket, ...]]:
        """The account, and what to forgive if the password is right. TooManyAttempts."""
        now, network = self._clock(), attempts.network_of(address)
        async with self._store.platform() as repository:
            account = await repository.find_account(email)
            # An unknown address asks the same: the two must not differ in what they cost.
            user_id = account.user_id if account else NOBODY
            known = await repository.knows_network(user_id, network, now - self._rules.known)
            buckets = attempts.of_log_in(email, address, self._rules, known=known)
            await self._count(repository, buckets)
        return account, buckets

    async def begin_from(self, address: str) -> tuple[Bucket, ...]:
        """An attempt of which only the network is known, and what to forgive if it is right. TooManyAttempts."""
        buckets = attempts.of_network(address, self._rules)
        async with self._store.platform() as repository:
            await self._count(repository, buckets)
        return buckets

    async def begin_mail(self, repository: Repository, email: str, address: str) -> None:
        """TooManyAttempts."""
        await self._count(repository, attempts.of_mail(email, address, self._rules))

    async def succeed(
        self, repository: Repository, user_id: str, address: str, buckets: tuple[Bucket, ...] = ()
    ) -> None:
        """It was right: it does not count, and the network is one that the user is known from."""
        await repository.forgive_attempts([bucket.name for bucket in buckets])
        network = attempts.network_of(address)
        await repository.remember_network(user_id, network, self._clock(), self._rules.known_networks)

    async def _count(self, repository: Repository, buckets: tuple[Bucket, ...]) -> None:
        now = self._clock()
        counts = await repository.count_attempts(buckets, now)
        waits = [
            (ends - now).total_seconds()
            for bucket, (count, ends) in zip(buckets, counts, strict=True)
            if count > bucket.limit
        ]
        if waits:
            # The transaction rolls back: a refused attempt uses up nothing.
            raise TooManyAttempts(retry_after=max(1.0, *waits))
