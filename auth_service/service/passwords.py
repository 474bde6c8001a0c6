"""New passwords are judged and hashed here, presented ones compared."""

from auth_service.domain.people import PasswordHasher, PasswordJudge
from auth_service.policy import passwords


class Passwords:
    """One place for what a password must be and how it is kept."""

    def __init__(self, hasher: PasswordHasher, judge: PasswordJudge, least: int) -> None:
        """`least`: how many characters a new password has."""
        self._hasher = hasher
        self._judge = judge
        self._least = least

    async def hashed(self, password: str, email: str, *known: str) -> str:
        """The hash of a new password. `known`: what one who guesses knows of the person. WeakPassword, LoginBusy."""
        normal = passwords.normal(password)
        passwords.check_form(normal, email, self._least)
        problem = await self._judge.problem(normal, [email, email.split("@", 1)[0], *(word for word in known if word)])
        if problem:
            raise passwords.weak(problem)
        return await self._hasher.hash(normal)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the one that was hashed; without a hash it costs the same and is False. LoginBusy."""
        return await self._hasher.verify(passwords.normal(password), stored)
