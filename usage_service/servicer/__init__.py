"""UsageService on the wire: protobuf <-> domain, one module a noun. Decides nothing."""

from dataclasses import dataclass

from usage_service.service.budgets import Budgets
from usage_service.service.leases import Leases
from usage_service.service.limits import Limits
from usage_service.service.prices import Prices
from usage_service.service.proof import Proofs
from usage_service.service.reports import Reports
from usage_service.service.webhooks import Webhooks
from usage_service.servicer.budgets import BudgetsServicer
from usage_service.servicer.leases import LeasesServicer
from usage_service.servicer.reports import ReportsServicer
from usage_service.servicer.terms import TermsServicer
from usage_service.servicer.webhooks import WebhooksServicer


@dataclass(frozen=True, slots=True)
class UseCases:
    """What is translated to."""

    limits: Limits
    leases: Leases
    reports: Reports
    proofs: Proofs
    prices: Prices
    budgets: Budgets
    webhooks: Webhooks


class UsageServicer(LeasesServicer, ReportsServicer, TermsServicer, BudgetsServicer, WebhooksServicer):
    """All of it."""

    def __init__(self, cases: UseCases) -> None:
        self._limits = cases.limits
        self._leases = cases.leases
        self._reports = cases.reports
        self._proofs = cases.proofs
        self._prices = cases.prices
        self._budgets = cases.budgets
        self._webhooks = cases.webhooks
