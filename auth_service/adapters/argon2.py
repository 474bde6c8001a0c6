"""PasswordHasher with Argon2id, in a bounded pool of threads: each hash takes 64 MB and a core for 200 ms."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auth_service.domain.errors import LoginBusy

T = TypeVar("T")


class Argon2Hasher:
    """At most `workers` hashes at once and `queue` waiting; more are refused with LoginBusy."""

    def __init__(self, workers: int, queue: int, *, passes: int = 3, memory_kib: int = 65_536, lanes: int = 4) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._hasher = PasswordHasher(passes, memory_kib, lanes)
        self._room = workers + queue
        # An unknown address must cost what a known one does.
        self._dummy = self._hasher.hash("a password that nobody has")

    async def hash(self, password: str) -> str:
        return await self._run(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> bool:
        matches = await self._run(self._matches, stored or self._dummy, password)
        return matches and stored is not None

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *arguments: str) -> T:
        if self._room <= 0:
            raise LoginBusy(retry_after=1)
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        finally:
            self._room += 1
