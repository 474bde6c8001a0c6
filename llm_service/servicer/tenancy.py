"""What tenants have of their own, on the wire: keys of providers, rules and aliases."""

from typing import Any
from uuid import UUID

from aisp.llm.v1 import catalogue_pb2 as pb
from aisp.llm.v1.llm_service_pb2_grpc import LlmServiceServicer

from chassis.context import current
from chassis.errors import InvalidArgument, PermissionDenied
from llm_service.domain.tenancy import ModelRules, ProviderKey, Tenancy
from llm_service.service.provider_keys import ProviderKeys
from llm_service.service.rules import Rules
from llm_service.servicer.catalogue import stamp

MOST_CHECKED = 1000
PLAIN = ("id", "provider", "name", "hint", "base_url", "api_version", "falls_back")


class TenancyServicer(LlmServiceServicer):
    """Keys, rules, aliases."""

    _keys: ProviderKeys
    _rules: Rules

    async def CreateProviderKey(self, request: pb.CreateProviderKeyRequest, _: Any) -> pb.CreateProviderKeyResponse:
        told = request.key
        key = ProviderKey(
            id="",
            tenant_id=_owner(platform=request.platform),
            provider=told.provider,
            name=told.name,
            sealed=b"",
            hint="",
            base_url=told.base_url,
            api_version=told.api_version,
            falls_back=told.falls_back,
        )
        return pb.CreateProviderKeyResponse(key=_told(await self._keys.create(key, request.secret)))

    async def ListProviderKeys(self, request: pb.ListProviderKeysRequest, _: Any) -> pb.ListProviderKeysResponse:
        found = await self._keys.list(_owner(platform=request.platform))
        return pb.ListProviderKeysResponse(keys=[_told(key) for key in found])

    async def RotateProviderKey(self, request: pb.RotateProviderKeyRequest, _: Any) -> pb.RotateProviderKeyResponse:
        key = await self._keys.rotate(_owner(platform=request.platform), request.id, request.secret)
        return pb.RotateProviderKeyResponse(key=_told(key))

    async def DeleteProviderKey(self, request: pb.DeleteProviderKeyRequest, _: Any) -> pb.DeleteProviderKeyResponse:
        key = await self._keys.delete(_owner(platform=request.platform), request.id)
        return pb.DeleteProviderKeyResponse(key=_told(key))

    async def GetModelRules(self, request: pb.GetModelRulesRequest, _: Any) -> pb.GetModelRulesResponse:
        return pb.GetModelRulesResponse(rules=_told_rules(await self._rules.of(_whose(request.tenant_id))))

    async def CheckModels(self, request: pb.CheckModelsRequest, _: Any) -> pb.CheckModelsResponse:
        if len(request.models) > MOST_CHECKED:
            raise InvalidArgument(f"models: at most {MOST_CHECKED}.")
        tenant_id = _whose("")
        if request.language:
            names = await self._rules.priced_as(tenant_id, request.models)
            return pb.CheckModelsResponse(allowed=request.models, priced_as=names)
        return pb.CheckModelsResponse(allowed=await self._rules.permitted(tenant_id, request.models))

    async def SetModelRules(self, request: pb.SetModelRulesRequest, _: Any) -> pb.SetModelRulesResponse:
        told, tenant_id = request.rules, _whose(request.tenant_id)
        if request.tenant_id:
            granted = ModelRules(
                granted=tuple(told.granted) if told.has_granted else None,
                regions=tuple(told.regions),
                max_cost_nano_usd_per_million=told.max_cost_nano_usd_per_million,
            )
            now, before = await self._rules.grant(tenant_id, granted)
        else:
            now, before = await self._rules.allow(tenant_id, tuple(told.allowed) if told.has_allowed else None)
        return pb.SetModelRulesResponse(rules=_told_rules(now), before=_told_rules(before))

    async def SetModelAlias(self, request: pb.SetModelAliasRequest, _: Any) -> pb.SetModelAliasResponse:
        await self._rules.set_alias(_calling(), request.alias, request.model)
        return pb.SetModelAliasResponse()

    async def DeleteModelAlias(self, request: pb.DeleteModelAliasRequest, _: Any) -> pb.DeleteModelAliasResponse:
        await self._rules.delete_alias(_calling(), request.alias)
        return pb.DeleteModelAliasResponse()


def _owner(*, platform: bool) -> str:
    """Whose keys: the calling tenant's, or (an operator says) the platform's."""
    if platform:
        current().require_operator()
        return ""
    return _calling()


def _whose(tenant_id: str) -> str:
    if not tenant_id:
        return _calling()
    current().require_operator()
    try:
        return str(UUID(tenant_id))
    except ValueError as error:
        raise InvalidArgument("tenant_id: is no id.") from error


def _calling() -> str:
    """Never nobody's: that would be the platform's own."""
    tenant_id = current().tenant_id
    if not tenant_id:
        raise PermissionDenied("Only a tenant has keys, rules and aliases.")
    return tenant_id


def _told(key: ProviderKey) -> pb.ProviderKey:
    return pb.ProviderKey(
        **{name: getattr(key, name) for name in PLAIN},
        create_time=stamp(key.created_at),
        rotate_time=stamp(key.updated_at),
    )


def _told_rules(tenancy: Tenancy) -> pb.ModelRules:
    rules = tenancy.rules
    return pb.ModelRules(
        has_granted=rules.granted is not None,
        granted=rules.granted or (),
        has_allowed=rules.allowed is not None,
        allowed=rules.allowed or (),
        regions=rules.regions,
        max_cost_nano_usd_per_million=rules.max_cost_nano_usd_per_million,
        aliases=tenancy.aliases,
    )
