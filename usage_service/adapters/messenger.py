"""Messenger over the guarded client for addresses that others chose."""

from collections.abc import Mapping

from chassis.outbound import Outbound, check_url
from chassis.settings import OutboundSettings

MAX_ANSWER_BYTES = 64 * 1024


class OutboundMessenger:
    """Posts messages; of an answer only the status counts."""

    def __init__(self, outbound: Outbound, settings: OutboundSettings) -> None:
        self._outbound = outbound
        self._settings = settings

    def check(self, url: str) -> str:
        """The address as it will be called. UrlRefused, AddressRefused."""
        return str(check_url(url, self._settings))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. UrlRefused, AddressRefused, AnswerTooLarge, OutboundFailed."""
        answer = await self._outbound.request("POST", url, headers=headers, body=body, max_bytes=MAX_ANSWER_BYTES)
        return answer.status
