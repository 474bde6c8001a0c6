"""What a provider's failure means for the next attempt."""

from chassis.errors import PlatformError
from llm_service.domain.errors import (
    ProviderBadAnswer,
    ProviderNotConfigured,
    ProviderRateLimited,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    Unsupported,
)

NOT_TRIED = frozenset({"CIRCUIT_OPEN", "QUEUE_FULL", "DEPLOYMENT_BUSY", "PROVIDER_NOT_CONFIGURED"})
"""Reasons that say nothing of what a provider answered: none was asked."""


def retryable(error: PlatformError, *, alternatives: bool = False) -> bool:
    """Whether another attempt at the same provider may succeed. Where another deployment can take over, one that is
    at its limit is not waited for.
    """
    if isinstance(error, ProviderRateLimited):
        return not alternatives and error.metadata.get("code") != "insufficient_quota"
    return isinstance(error, ProviderUnavailable | ProviderBadAnswer)


def falls_back(error: PlatformError) -> bool:
    """Whether another deployment may succeed where this one failed."""
    if isinstance(error, ProviderRefused):
        # The deployment is gone; what else a provider refuses is the document's fault.
        return error.metadata.get("provider_status") in ("404", "410")
    kinds = (
        ProviderRateLimited,
        ProviderUnavailable,
        ProviderBadAnswer,
        ProviderTimeout,
        ProviderNotConfigured,
        Unsupported,
    )
    return isinstance(error, kinds) or error.reason in NOT_TRIED


def blames(error: PlatformError) -> bool:
    """Whether a failure speaks against the provider, and not against the call or our share of it."""
    return isinstance(error, ProviderUnavailable | ProviderBadAnswer | ProviderTimeout)


def most_telling(errors: list[PlatformError]) -> PlatformError:
    """Of the failures of a chain, the one to show: the last that a provider caused."""
    tried = [error for error in errors if error.reason not in NOT_TRIED]
    return (tried or errors)[-1]
