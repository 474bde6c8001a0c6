"""Messenger over the guarded client for addresses that others chose."""

from collections.abc import Mapping

from chassis.errors import InvalidArgument
from chassis.outbound import AnswerTooLarge, Outbound, check_url
from chassis.settings import OutboundSettings

MAX_ANSWER_BYTES = 64 * 1024
OK = 200


class OutboundMessenger:
    """Posts messages; of an answer only the status counts."""

    def __init__(self, outbound: Outbound, settings: OutboundSettings) -> None:
        self._outbound = outbound
        self._settings = settings

    def check(self, url: str) -> str:
        """The address as it will be called. UrlRefused, AddressRefused."""
        return str(check_url(url, self._settings))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. UrlRefused, AddressRefused, OutboundFailed."""
        try:
            answer = await self._outbound.request("POST", url, headers=headers, body=body, max_bytes=MAX_ANSWER_BYTES)
        except AnswerTooLarge as error:
            raise TalksTooMuch from error
        return answer.status


class TalksTooMuch(InvalidArgument):
    reason = "ANSWER_TOO_LARGE"
    message = "The other side's answer is larger than is read; answer 2xx with a short body or none."
