"""Routes that are kept are made anew when a tenant's own things, or the catalogue, change."""

from contextlib import asynccontextmanager
from typing import Any

import pytest

from llm_service.domain.calls import Call
from llm_service.domain.errors import CatalogueUnread, ModelNotFound
from llm_service.domain.models import Deployment, Model
from llm_service.domain.tenancy import ProviderKey, Tenancy
from llm_service.service.catalogue import Catalogue
from llm_service.service.router import Route, Router

KEY = ProviderKey("k", "t", "openai", "mine", b"sealed", "")


class House:
    """A router, its store and its tenants, all of which a test changes."""

    def __init__(self) -> None:
        self.models = [Model("m", (Deployment("openai", "upstream"),), capabilities=())]
        self.tenancy = Tenancy()
        self.catalogue = Catalogue(self)  # type: ignore[arg-type]  # what a catalogue asks of a store
        self.router = Router(self.catalogue, self, self, ("openai",))  # type: ignore[arg-type]  # likewise

    @asynccontextmanager
    async def platform(self) -> Any:
        yield self

    async def list_models(self) -> list[Model]:
        return self.models

    async def provider_keys(self, _tenant_id: str) -> list[ProviderKey]:
        return []

    async def of(self, _tenant_id: str) -> Tenancy:
        return self.tenancy

    def open(self, sealed: bytes, *_binding: str) -> bytes:
        return sealed

    async def route(self, name: str = "m") -> Route:
        return await self.router.route(Call(name, b'{"messages":[]}', tenant_id="t"))


async def test_the_same_route_until_the_catalogue_is_read_again() -> None:
    house = House()
    await house.catalogue.refresh()
    first = await house.route()
    assert await house.route() is first
    house.models = [Model("m", (Deployment("openai", "other"),), capabilities=())]
    assert await house.route() is first
    await house.catalogue.refresh()
    assert (await house.route()).deployments[0].upstream_model == "other"


async def test_an_own_key_is_in_force_at_once_and_gone_at_once() -> None:
    house = House()
    await house.catalogue.refresh()
    assert (await house.route()).deployments[0].credential is None
    house.tenancy = Tenancy(keys={"openai": KEY})
    credential = (await house.route()).deployments[0].credential
    assert credential is not None
    assert (credential.secret, credential.tenant_id) == ("sealed", "t")
    assert (await house.route("openai/any")).deployments[0].credential == credential
    house.tenancy = Tenancy()
    assert (await house.route()).deployments[0].credential is None


async def test_an_alias_that_changes_means_another_model() -> None:
    house = House()
    house.models.append(Model("n", (Deployment("openai", "other"),), capabilities=()))
    await house.catalogue.refresh()
    for target, upstream in (("m", "upstream"), ("n", "other")):
        house.tenancy = Tenancy(aliases={"mine": target})
        assert (await house.route("mine")).deployments[0].upstream_model == upstream


async def test_before_the_catalogue_was_read_no_name_is_known_to_mean_nothing() -> None:
    house = House()
    for name in ("m", "openai/x", "none"):
        with pytest.raises(CatalogueUnread):
            await house.route(name)
    house.models = []
    await house.catalogue.refresh()
    with pytest.raises(ModelNotFound):
        await house.route("none")
    assert house.catalogue.loaded
