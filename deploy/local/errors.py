"""What can go wrong on a laptop, each told in one clear sentence."""


class LocalError(Exception):
    """The text says what is wrong and what to do; the command prints it and exits with 1."""
