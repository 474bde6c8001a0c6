"""Where a model is."""

from collections.abc import Mapping

from llm_service.domain.errors import ModelNotFound
from llm_service.domain.models import Deployment, Model

PREFIXES = {"openai/": "openai", "anthropic/": "anthropic", "hf/": "hf"}
"""Names that need no row in the catalogue: provider/NAME reaches that provider's NAME."""


def resolve(models: Mapping[str, Model], name: str) -> Model:
    """The model of that name: a row of the catalogue, or a provider's prefix. ModelNotFound."""
    found = models.get(name)
    if found is not None:
        return found
    for prefix, provider in PREFIXES.items():
        upstream = name.removeprefix(prefix)
        if upstream != name and upstream:
            return Model(name, (Deployment(provider, upstream),))
    raise ModelNotFound(f"The model {name[:200]} does not exist.", metadata={"param": "model"})
