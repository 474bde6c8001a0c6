"""Rows of attempts and of the networks that users log in from."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from auth_service.domain.attempts import Bucket
from auth_service.repository.tables import Rows, attempts, known_networks


class AttemptRows(Rows):
    """Queries on attempts."""

    async def count_attempts(self, buckets: Sequence[Bucket], now: datetime) -> list[tuple[int, datetime]]:
        counted = {}
        # In one order for all, so that two transactions never wait for each other.
        for bucket in sorted(buckets, key=lambda bucket: bucket.name):
            ends = now + timedelta(seconds=bucket.seconds)
            change = insert(attempts).values(name=bucket.name, count=1, ends_at=ends)
            over = attempts.c.ends_at <= now
            change = change.on_conflict_do_update(
                index_elements=[attempts.c.name],
                set_={
                    "count": sa.case((over, 1), else_=attempts.c.count + 1),
                    "ends_at": sa.case((over, ends), else_=attempts.c.ends_at),
                },
            )
            returned = change.returning(attempts.c.count.label("number"), attempts.c.ends_at)
            row = (await self._db.execute(returned)).one()
            counted[bucket.name] = (int(row.number), row.ends_at)
        return [counted[bucket.name] for bucket in buckets]

    async def forgive_attempts(self, names: Sequence[bytes]) -> None:
        for name in sorted(names):
            change = attempts.update().where(attempts.c.name == name, attempts.c.count > 0)
            await self._db.execute(change.values(count=attempts.c.count - 1))

    async def trim_attempts(self, before: datetime) -> None:
        await self._db.execute(attempts.delete().where(attempts.c.ends_at < before))

    async def knows_network(self, user_id: str, network: str, since: datetime) -> bool:
        query = sa.select(sa.literal(1)).where(
            known_networks.c.user_id == user_id,
            known_networks.c.network == network,
            known_networks.c.seen_at >= since,
        )
        return (await self._db.execute(query)).scalar_one_or_none() is not None

    async def remember_network(self, user_id: str, network: str, now: datetime, most: int) -> None:
        change = insert(known_networks).values(user_id=user_id, network=network, seen_at=now)
        keys = [known_networks.c.user_id, known_networks.c.network]
        await self._db.execute(change.on_conflict_do_update(index_elements=keys, set_={"seen_at": now}))
        kept = (
            sa.select(known_networks.c.network)
            .where(known_networks.c.user_id == user_id)
            .order_by(known_networks.c.seen_at.desc())
            .limit(most)
        )
        await self._db.execute(
            known_networks.delete().where(known_networks.c.user_id == user_id, known_networks.c.network.not_in(kept))
        )
