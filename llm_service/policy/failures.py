"""What a provider's failure means for the next attempt."""

from chassis.errors import PlatformError
from llm_service.domain.errors import (
    ProviderBadAnswer,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
)


def retryable(error: PlatformError) -> bool:
    """Whether another attempt at the same provider may succeed."""
    return isinstance(error, ProviderRateLimited | ProviderUnavailable | ProviderBadAnswer)


def falls_back(error: PlatformError) -> bool:
    """Whether another deployment may succeed where this one failed."""
    return retryable(error) or isinstance(error, ProviderTimeout) or error.reason in ("CIRCUIT_OPEN", "QUEUE_FULL")
