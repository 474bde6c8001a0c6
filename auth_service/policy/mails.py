"""What mails say. Facts are bounded and without control characters before they get here."""

from collections.abc import Mapping

from auth_service.domain.links import Purpose

_SUBJECTS = {
    Purpose.INVITATION: "{person} invites you to {tenant}",
    Purpose.PASSWORD_RESET: "Set a new password",
    Purpose.REGISTRATION: "Confirm your registration",
}
_TEXTS = {
    Purpose.INVITATION: "{person} invites you to join {tenant}.\n\nTo accept:\n\n{link}\n",
    Purpose.PASSWORD_RESET: (
        "Somebody, probably you, asked for a new password for this address.\n\nTo set one:\n\n{link}\n\n"
        "If it was not you, do nothing: your password stays as it is.\n"
    ),
    Purpose.REGISTRATION: "To confirm that this is your address:\n\n{link}\n\nIf it was not you, do nothing.\n",
}
KNOWN_SUBJECT = "You have an account already"
KNOWN_TEXT = (
    "Somebody, probably you, tried to register with this address. It has an account already: log in, or ask for a new\n"
    "password. If it was not you, do nothing.\n"
)


def compose(purpose: Purpose, link: str, facts: Mapping[str, str]) -> tuple[str, str]:
    """Subject and text of the mail that carries a link (or, without a page for it, the bare secret)."""
    words = {name: value[:200] for name, value in facts.items()}
    return _SUBJECTS[purpose].format(**words), _TEXTS[purpose].format(**words, link=link)
