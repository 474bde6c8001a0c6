"""Which passwords are taken."""

from auth_service.domain.errors import WeakPassword
from chassis.errors import Violation


def check_password(password: str, email: str) -> None:
    """WeakPassword if it is too short, too long, or easily guessed from itself or the address."""
    problem = ""
    if not 8 <= len(password) <= 128:
        problem = "must have 8 to 128 characters"
    elif password.lower() in (email, email.split("@", 1)[0]):
        problem = "must not be the e-mail address"
    elif len(set(password.lower())) < 4 or password.lower() in _SEQUENCES:
        problem = "is one of the first that anybody would try"
    if problem:
        raise WeakPassword(f"password: {problem}.", violations=[Violation("password", problem)])


_SEQUENCES = frozenset(
    row[start : start + length]
    for row in ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop1234567890", "passwordpassword123456")
    for length in range(8, len(row) + 1)
    for start in range(len(row) - length + 1)
)
