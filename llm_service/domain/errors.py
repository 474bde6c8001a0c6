"""What can go wrong with language models.

NotFound            ModelNotFound, AliasNotFound, ProviderKeyNotFound, GuardrailNotFound, ResponseNotFound,
                    PreviousResponseNotFound
AlreadyExists       ModelExists, ProviderKeyExists
InvalidArgument     ProviderRefused, BadDocument (chassis.document), BadModel, BadRules, BadProviderKey,
                    BadGuardrail, GuardrailRefused, ResponseChainTooLong
PermissionDenied    ModelNotAllowed, ProviderKeyRefused
Unimplemented       Unsupported
ResourceExhausted   ProviderRateLimited, DeploymentBusy, TooManyGuardrails
Unavailable         CatalogueUnread, ProviderUnavailable, ProviderBadAnswer, GuardrailUnavailable
DeadlineExceeded    ProviderTimeout
FailedPrecondition  ProviderNotConfigured, ProviderKeyInUse
"""

from chassis.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"
    message = "There is no such model."


class CatalogueUnread(Unavailable):
    reason = "CATALOGUE_UNREAD"
    message = "The catalogue of models was not read yet; try again soon."


class ModelExists(AlreadyExists):
    reason = "MODEL_EXISTS"
    message = "There is a model of this name already; change it instead."


class BadModel(InvalidArgument):
    reason = "BAD_MODEL"
    message = "This cannot be a model of the catalogue."


class ModelNotAllowed(PermissionDenied):
    reason = "MODEL_NOT_ALLOWED"
    message = "This tenant may not use the model."


class AliasNotFound(NotFound):
    reason = "ALIAS_NOT_FOUND"
    message = "There is no such alias."


class BadRules(InvalidArgument):
    reason = "BAD_RULES"
    message = "These cannot be rules for models."


class ProviderKeyNotFound(NotFound):
    reason = "PROVIDER_KEY_NOT_FOUND"
    message = "There is no such key of a provider."


class ProviderKeyExists(AlreadyExists):
    reason = "PROVIDER_KEY_EXISTS"
    message = "There is a key for this provider already; rotate it, or delete it first."


class ProviderKeyInUse(FailedPrecondition):
    reason = "PROVIDER_KEY_IN_USE"
    message = "A deployment of the catalogue uses this key; change that first."


class BadProviderKey(InvalidArgument):
    reason = "BAD_PROVIDER_KEY"
    message = "This cannot be a key of a provider."


class ProviderKeyRefused(PermissionDenied):
    reason = "PROVIDER_KEY_REFUSED"
    message = "The provider refuses your own key for it; rotate or delete it under /api/v1/provider-keys."


class ProviderRefused(InvalidArgument):
    reason = "PROVIDER_REFUSED"
    message = "The provider refused the request."


class ProviderRateLimited(ResourceExhausted):
    reason = "PROVIDER_RATE_LIMITED"
    message = "The provider limits the platform at the moment; try again soon."


class DeploymentBusy(ResourceExhausted):
    reason = "DEPLOYMENT_BUSY"
    message = "The model is at the limit of what its provider takes; try again soon."


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


class GuardrailNotFound(NotFound):
    reason = "GUARDRAIL_NOT_FOUND"
    message = "There is no such guardrail."


class BadGuardrail(InvalidArgument):
    reason = "BAD_GUARDRAIL"
    message = "The guardrail is not valid."


class TooManyGuardrails(ResourceExhausted):
    reason = "TOO_MANY_GUARDRAILS"
    message = "A tenant cannot have more guardrails; delete one."


class GuardrailRefused(InvalidArgument):
    reason = "GUARDRAIL_REFUSED"
    message = "A guardrail refuses the request."


class GuardrailUnavailable(Unavailable):
    reason = "GUARDRAIL_UNAVAILABLE"
    message = "A guardrail's judge does not answer, and nothing passes without it; try again soon."


class ResponseNotFound(NotFound):
    reason = "RESPONSE_NOT_FOUND"
    message = "There is no such response."


class PreviousResponseNotFound(NotFound):
    reason = "PREVIOUS_RESPONSE_NOT_FOUND"
    message = "The previous response is not there."


class ResponseChainTooLong(InvalidArgument):
    reason = "RESPONSE_CHAIN_TOO_LONG"
    message = "The conversation is too long to be gone on with; send what matters of it as input."
