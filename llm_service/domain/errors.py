"""What can go wrong with language models.

NotFound            ModelNotFound
InvalidArgument     ProviderRefused, BadDocument (chassis.document)
Unimplemented       Unsupported
ResourceExhausted   ProviderRateLimited
Unavailable         ProviderUnavailable, ProviderBadAnswer
DeadlineExceeded    ProviderTimeout
FailedPrecondition  ProviderNotConfigured
"""

from chassis.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "There is no such model."


class ProviderRefused(InvalidArgument):
    reason = "PROVIDER_REFUSED"
    message = "The provider refused the request."


class ProviderRateLimited(ResourceExhausted):
    reason = "PROVIDER_RATE_LIMITED"
    message = "The provider limits the platform at the moment; try again soon."


class ProviderUnavailable(Unavailable):
    reason = "PROVIDER_UNAVAILABLE"
    message = "The provider does not answer at the moment; try again soon."


class ProviderTimeout(DeadlineExceeded):
    reason = "PROVIDER_TIMEOUT"
    message = "The provider did not answer in time."


class ProviderBadAnswer(Unavailable):
    reason = "PROVIDER_BAD_ANSWER"
    message = "The provider's answer could not be read, or broke off."


class ProviderNotConfigured(FailedPrecondition):
    reason = "PROVIDER_NOT_CONFIGURED"
    message = "The provider of this model is not configured here."


class Unsupported(Unimplemented):
    reason = "UNSUPPORTED"
    message = "The model cannot do what is asked."
