"""The errors of metering.

ResourceExhausted  RateLimited
Unavailable        MeterUnavailable
InvalidArgument    UnknownPlan, UnknownLimit, BadDateRange
FailedPrecondition LeaseClosed, UnpricedModel
PermissionDenied   OperatorOnly
"""

from chassis.errors import (
    FailedPrecondition,
    InvalidArgument,
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


class UnpricedModel(FailedPrecondition):
    reason = "UNPRICED_MODEL"
    message = "The model has no price, and work without a price is refused here; an operator can add one."


class OperatorOnly(PermissionDenied):
    reason = "OPERATOR_ONLY"
    message = "Only an operator may do this."


class NeedLimits(Exception):  # an answer of the meter, not a failure
    """The meter lacks the compiled limits of the tenant, or of its key or user."""
