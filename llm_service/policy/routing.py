"""Where a model is: which row a name means, which of its deployments can take a call, and in which order."""

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from chassis.errors import Violation
from llm_service.domain.errors import ModelNotAllowed, ModelNotFound, Unsupported
from llm_service.domain.models import Deployment, Model
from llm_service.domain.tenancy import ModelRules, ProviderKey, Tenancy
from llm_service.policy.names import STAR, closest, fits_any

ALWAYS = ("chat", "stream")
"""What every language model can."""
AFFINE_BYTES = 1024
"""Of a document, by which calls that begin alike are told."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a call needs of a deployment. `tokens` are estimated; `fields` of its document ask for capabilities."""

    capabilities: frozenset[str] = frozenset()
    tokens: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    """By capability."""


def find(models: Mapping[str, Model], open_providers: Collection[str], name: str) -> Model:
    """The model of a name: a row of the catalogue, a pattern, or a provider's own name for it. ModelNotFound.

    `open_providers`: those whose every model is reached as PROVIDER/NAME.
    """
    found = models.get(name)
    if found is not None and STAR not in name:
        return found
    if fitting := closest((pattern for pattern in models if STAR in pattern), name):
        return _starred(models[fitting[0]], name, fitting[1])
    provider, _, upstream = name.partition("/")
    if upstream and provider in open_providers:
        # Hugging Face's `:fastest` chooses among its own providers, not among models.
        price_key = name.partition(":")[0] if provider == "hf" else ""
        return Model(name, (Deployment(provider, upstream),), price_key=price_key)
    raise not_found(name)


def not_found(name: str) -> ModelNotFound:
    """The error of a name that means nothing (to this tenant)."""
    return ModelNotFound(f"The model {name[:200]} does not exist.", metadata={"param": "model"})


def allowed(rules: ModelRules, asked: str, name: str) -> bool:
    """Whether the rules name the model: an operator's by its own name, the tenant's also as it was `asked` for. Aliases
    are the tenant's: one that is called like what is granted would open whatever it stands for.
    """
    if rules.granted is not None and not fits_any(rules.granted, name):
        return False
    return rules.allowed is None or fits_any(rules.allowed, name) or fits_any(rules.allowed, asked)


def check_allowed(rules: ModelRules, asked: str, name: str) -> None:
    """ModelNotAllowed unless it is."""
    if not allowed(rules, asked, name):
        raise ModelNotAllowed(f"This tenant may not use the model {asked[:200]}.", metadata={"param": "model"})


def places(model: Model, tenancy: Tenancy, needs: Needs) -> list[tuple[Deployment, ProviderKey | None]]:
    """The deployments that can take a call, each with the tenant's key that it is called with.

    ModelNotAllowed where the tenant's rules leave none, Unsupported where none can do it.
    """
    own, rest = [], []
    for deployment in model.deployments:
        plain = not (deployment.base_url or deployment.credential_id)
        key = tenancy.keys.get(deployment.provider) if plain else None
        if key is not None:
            changed = replace(
                deployment, base_url=key.base_url, api_version=key.api_version, foreign=bool(key.base_url)
            )
            own.append((changed, key))
        else:
            rest.append(deployment)
    # Who brought a key does not pay for the platform's, unless the key says so.
    if own and not any(key.falls_back for _, key in own):
        rest = []
    permitted = [one for one in rest if _permitted(one, tenancy.rules)]
    if not own and not permitted:
        raise ModelNotAllowed(
            f"No deployment of {model.name[:200]} is where, or as cheap as, this tenant's rules want."
        )
    able = [pair for pair in (*own, *((one, None) for one in permitted)) if _able(pair[0], model, needs)]
    if not able:
        raise incapable(model, needs, ())
    return _long_enough(able, model, needs.tokens)


def placed(model: Model, tenancy: Tenancy) -> bool:
    """Whether the tenant's rules leave the model a deployment at all."""
    try:
        return bool(places(model, tenancy, Needs()))
    except ModelNotAllowed:
        return False


def capabilities(model: Model) -> tuple[str, ...]:
    """What a model can, as far as it is known: its row's word, or what its deployments say."""
    told = model.capabilities or dict.fromkeys(name for one in model.deployments for name in one.capabilities)
    return tuple(told) or ALWAYS


def incapable(model: Model, needs: Needs, others: Collection[str]) -> Unsupported:
    """The error of a model that cannot do what is asked. `others`: models that can."""
    missing = sorted(needs.capabilities - {*capabilities(model)}) or sorted(needs.capabilities)
    fields = list(dict.fromkeys(needs.fields.get(name, name) for name in missing))
    told = f"The model {model.name[:200]} cannot do what {', '.join(fields)} asks for ({', '.join(missing)})."
    if others:
        told += f" Models that can: {', '.join(others)}."
    problems = [Violation(name, "is not supported by this model") for name in fields]
    return Unsupported(told, metadata={"param": fields[0]}, violations=problems)


def ordered(deployments: Iterable[Deployment], chance: Callable[[Deployment], float]) -> list[Deployment]:
    """In the order in which they are tried: by priority; of equal ones each comes first as often as its weight says.

    `chance`: a number in [0, 1) for each, random or (for a sticky model) always the same for the same call.
    """

    def rank(deployment: Deployment) -> tuple[int, float]:
        # The smallest of exponential variables is each one's with a probability in proportion to its rate.
        late = math.inf if not deployment.weight else -math.log(1.0 - chance(deployment)) / deployment.weight
        return deployment.priority, late

    return sorted(deployments, key=rank)


def affinity(tenant_id: str, body: bytes) -> Callable[[Deployment], float]:
    """A chance for `ordered` that is the same whenever the same tenant's documents begin alike.

    When a deployment comes or goes, only calls that were its own go elsewhere.
    """
    start = hashlib.blake2b(tenant_id.encode() + b"\0" + body[:AFFINE_BYTES], digest_size=16).digest()

    def chance(deployment: Deployment) -> float:
        drawn = hashlib.blake2b(deployment.key.encode(), key=start, digest_size=8).digest()
        return int.from_bytes(drawn, "big") / 2**64

    return chance


def _starred(row: Model, name: str, text: str) -> Model:
    def named(deployment: Deployment) -> Deployment:
        return replace(deployment, upstream_model=deployment.upstream_model.replace(STAR, text))

    return replace(
        row,
        name=name,
        price_key=row.price_key.replace(STAR, text),
        deployments=tuple(named(deployment) for deployment in row.deployments),
    )


def _permitted(deployment: Deployment, rules: ModelRules) -> bool:
    bound = rules.max_cost_nano_usd_per_million
    if bound and deployment.cost_nano_usd_per_million > bound:
        return False
    return not rules.regions or deployment.region in rules.regions


def _able(deployment: Deployment, model: Model, needs: Needs) -> bool:
    # Without capabilities of its own it has the model's; where neither says any, it says by itself what it cannot do.
    told = deployment.capabilities or model.capabilities
    return not told or needs.capabilities <= frozenset(told)


def _long_enough(
    able: list[tuple[Deployment, ProviderKey | None]], model: Model, tokens: int
) -> list[tuple[Deployment, ProviderKey | None]]:
    """Without those whose context is too short, as long as one remains: the count is an estimate."""
    fitting = [
        pair for pair in able if not (length := pair[0].context_length or model.context_length) or tokens <= length
    ]
    return fitting or able
