"""Rows of sessions and refresh tokens."""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from auth_service.domain.sessions import LivingSession, RefreshToken, Session
from auth_service.repository.tables import NOW, Rows, refresh_tokens, sessions


class SessionRows(Rows):
    """Queries on sessions and refresh tokens."""

    async def session_lives(self, tenant_id: str, user_id: str, session_id: str) -> bool:
        query = sa.select(sessions.c.id).where(sessions.c.tenant_id == tenant_id, sessions.c.user_id == user_id)
        query = query.where(sa.cast(sessions.c.id, sa.Text) == session_id, sessions.c.revoked_at.is_(None))
        return (await self._db.execute(query)).one_or_none() is not None

    async def session_opened_at(self, tenant_id: str, session_id: str) -> datetime | None:
        mine = sessions.c.tenant_id == tenant_id, sessions.c.id == session_id
        return (await self._db.execute(sa.select(sessions.c.created_at).where(*mine))).scalar_one_or_none()

    async def add_session(self, session: Session) -> None:
        await self._db.execute(sessions.insert().values(asdict(session)))

    async def revoke_session(self, session_id: str) -> bool:
        change = sessions.update().where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None))
        return bool((await self._db.execute(change.values(revoked_at=NOW))).rowcount)

    async def list_sessions(self, user_id: str, now: datetime, most: int) -> list[LivingSession]:
        alive = sa.exists().where(refresh_tokens.c.session_id == sessions.c.id, refresh_tokens.c.expires_at > now)
        query = sa.select(sessions).where(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None), alive)
        query = query.order_by(sessions.c.created_at.desc(), sessions.c.id).limit(most)
        return [
            LivingSession(Session(row.id, row.tenant_id, row.user_id, row.address), row.created_at, row.last_used_at)
            for row in await self._db.execute(query)
        ]

    async def revoke_user_session(self, user_id: str, session_id: str) -> str | None:
        change = sessions.update().where(
            sessions.c.id == session_id, sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None)
        )
        row = (await self._db.execute(change.values(revoked_at=NOW).returning(sessions.c.tenant_id))).one_or_none()
        return str(row.tenant_id) if row else None

    async def revoke_sessions_in(self, tenant_id: str, user_id: str) -> list[str]:
        change = sessions.update().where(
            sessions.c.tenant_id == tenant_id, sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None)
        )
        return list((await self._db.execute(change.values(revoked_at=NOW).returning(sessions.c.id))).scalars())

    async def revoke_other_sessions(self, user_id: str, session_id: str) -> list[str]:
        change = sessions.update().where(sessions.c.user_id == user_id, sessions.c.revoked_at.is_(None))
        if session_id:
            change = change.where(sessions.c.id != session_id)
        return list((await self._db.execute(change.values(revoked_at=NOW).returning(sessions.c.id))).scalars())

    async def add_refresh_token(self, token_hash: bytes, session_id: str, expires_at: datetime) -> None:
        values = {"hash": token_hash, "session_id": session_id, "expires_at": expires_at}
        await self._db.execute(refresh_tokens.insert().values(values))

    async def lock_refresh_token(self, token_hash: bytes) -> RefreshToken | None:
        joined = refresh_tokens.join(sessions, sessions.c.id == refresh_tokens.c.session_id)
        query = sa.select(refresh_tokens, sessions.c.tenant_id, sessions.c.user_id, sessions.c.revoked_at).select_from(
            joined
        )
        query = query.where(refresh_tokens.c.hash == token_hash).with_for_update()
        row = (await self._db.execute(query)).one_or_none()
        if row is None:
            return None
        session = Session(row.session_id, row.tenant_id, row.user_id)
        return RefreshToken(row.hash, session, row.expires_at, row.used_at, row.revoked_at is not None)

    async def use_refresh_token(self, token_hash: bytes, at: datetime) -> None:
        change = refresh_tokens.update().where(refresh_tokens.c.hash == token_hash)
        session_id = (await self._db.execute(change.values(used_at=at).returning(refresh_tokens.c.session_id))).scalar()
        await self._db.execute(sessions.update().where(sessions.c.id == session_id).values(last_used_at=at))

    async def trim_sessions(self, before: datetime) -> None:
        await self._db.execute(refresh_tokens.delete().where(refresh_tokens.c.expires_at < before))
        alive = sa.exists().where(refresh_tokens.c.session_id == sessions.c.id)
        await self._db.execute(sessions.delete().where(~alive))
