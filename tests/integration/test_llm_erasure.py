"""Rows of the catalogue that are for some tenants only, once one of these is deleted."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from chassis.settings import DatabaseSettings, RedisSettings
from llm_service.app import connected, use_cases
from llm_service.domain.models import Deployment, Model
from llm_service.settings import Settings
from tests.integration.conftest import ROOT
from tests.standins import llm


@pytest.fixture
def settings(migrated: Callable[[str], DatabaseSettings], valkey: RedisSettings) -> Settings:
    return llm.settings(migrated("llm_service"), valkey, ROOT, "http://127.0.0.1:9/v1")


async def test_rows_of_a_deleted_tenant_go_and_open_to_nobody(settings: Settings) -> None:
    gone, other, unique = str(uuid4()), str(uuid4()), uuid4().hex[:8]
    place = (Deployment("openai", "x"),)
    async with connected(settings) as parts:
        models = use_cases(settings, parts).models
        for name, tenants in (("alone", (gone,)), ("both", (gone, other)), ("open", ())):
            await models.create(Model(f"{name}-{unique}", place, tenants=tenants))
        erased = await models.erase(gone, "")
        assert erased.removed == {"models_of_its_own": 2}
        left = {one.name: one.tenants for one in await models.list() if one.name.endswith(unique)}
        assert left == {f"both-{unique}": (other,), f"open-{unique}": ()}
        assert (await models.erase(gone, "")).removed == {"models_of_its_own": 0}
        for name in left:
            await models.delete(name)
