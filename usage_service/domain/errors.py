"""The errors of metering.

ResourceExhausted  RateLimited
Unavailable        MeterUnavailable
InvalidArgument    UnknownPlan, UnknownLimit, BadDateRange, PastPrice, BadTerms, BadBudget, BadWebhook
FailedPrecondition LeaseClosed, UnpricedModel, TooManyBudgets, TooManyWebhooks
AlreadyExists      PriceExists
NotFound           BudgetNotFound, WebhookNotFound
DeadlineExceeded   ProofTooLong
PermissionDenied   OperatorOnly
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
)


class RateLimited(ResourceExhausted):
    reason = "RATE_LIMITED"
    message = "A limit is exhausted."


class MeterUnavailable(Unavailable):
    reason = "METER_UNAVAILABLE"
    message = "The meter does not answer at the moment; try again soon."


class UnknownPlan(InvalidArgument):
    reason = "UNKNOWN_PLAN"
    message = "There is no such plan."


class UnknownLimit(InvalidArgument):
    reason = "UNKNOWN_LIMIT"
    message = "There is no such limit."


class LeaseClosed(FailedPrecondition):
    reason = "LEASE_CLOSED"
    message = "The lease is unknown or has ended."


class BadDateRange(InvalidArgument):
    reason = "BAD_DATE_RANGE"
    message = "from and to must be dates (YYYY-MM-DD), in order, and not too far apart."


class ProofTooLong(DeadlineExceeded):
    reason = "PROOF_TOO_LONG"
    message = (
        "These days take longer to compare than a call may: ask for fewer (from, to). The usage worker compares all "
        "of the ledger by itself; its metric aisp_usage_ledger_differences says what it found."
    )


class UnpricedModel(FailedPrecondition):
    reason = "UNPRICED_MODEL"
    message = "The model has no price, and work without a price is refused here; an operator can add one."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class PastPrice(InvalidArgument):
    reason = "PAST_PRICE"
    message = "What was charged stays as it was: a new version holds from now or a later time on."


class PriceExists(AlreadyExists):
    reason = "PRICE_EXISTS"
    message = "There is a version from that very time; choose a later one."


class BadTerms(InvalidArgument):
    reason = "BAD_TERMS"
    message = "These terms cannot be."


class BudgetNotFound(NotFound):
    reason = "BUDGET_NOT_FOUND"
    message = "There is no such budget."


class BadBudget(InvalidArgument):
    reason = "BAD_BUDGET"
    message = "This budget cannot be."


class TooManyBudgets(FailedPrecondition):
    reason = "TOO_MANY_BUDGETS"
    message = "There are as many budgets as there may be; take one away first."


class WebhookNotFound(NotFound):
    reason = "WEBHOOK_NOT_FOUND"
    message = "There is no such webhook."


class BadWebhook(InvalidArgument):
    reason = "BAD_WEBHOOK"
    message = "This webhook or event cannot be."


class TooManyWebhooks(FailedPrecondition):
    reason = "TOO_MANY_WEBHOOKS"
    message = "There are as many webhooks as there may be; take one away first."


class NeedLimits(Exception):  # an answer of the meter, not a failure
    """The meter lacks the compiled limits of the tenant, or of its key or user."""
