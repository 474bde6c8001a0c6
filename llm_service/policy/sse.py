"""Server-sent events out of a stream of bytes that may be split anywhere, also inside a character."""

MAX_EVENT_BYTES = 31 * 1024 * 1024
"""Of an event that passed before: as much as an answer may have."""


class EventTooLarge(Exception):  # named by what happened
    """An event without an end."""


class EventSplitter:
    """Feed it bytes; it gives whole events, their bytes as they came but for the ends of lines."""

    def __init__(self, most: int = MAX_EVENT_BYTES) -> None:
        """`most`: bytes of an event."""
        self.most = most
        self._rest = bytearray()
        self._half = False
        """Whether the last byte was a \\r: a \\n that follows it ends the same line."""

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are complete now, each with its closing empty line."""
        if self._half:
            data, self._half = data.removeprefix(b"\n"), False
        if b"\r" in data:
            self._half = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if self._rest:
            if b"\n\n" not in data and not (self._rest.endswith(b"\n") and data.startswith(b"\n")):
                # In the midst of a large one, a picture for instance: nothing that came is looked at twice.
                self._keep(data)
                return []
            data = bytes(self._rest) + data
            self._rest.clear()
        *events, rest = data.split(b"\n\n")
        if rest:
            self._keep(rest)
        return [bare + b"\n\n" for event in events if (bare := event.strip(b"\n"))]

    @property
    def rest(self) -> bytes:
        """What came after the last whole event."""
        return bytes(self._rest)

    def _keep(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > self.most:
            raise EventTooLarge


def data_of(event: bytes) -> bytes:
    """The data of an event, its lines joined; empty for a comment."""
    if event.startswith(b"data: ") and event.find(b"\n") == len(event) - 2:
        # As nearly all are: a single line.
        return event[6:-2]
    lines = (line for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def event_of(data: bytes) -> bytes:
    """An event without a name, of these data."""
    return b"data: " + data.replace(b"\n", b"\ndata: ") + b"\n\n"
