"""A wrapper of LanguageModel for a format that a kind of provider speaks, and a single server of that kind may not.

Whatever imitates OpenAI is reached by OpenAI's settings, and much of it has no responses: what such a server says it
does not know (404, and nothing about a model) is asked by translation, for a while without trying first.
"""

from llm_service.domain.calls import Answer, Call, Ending, Format, LanguageModel, Out
from llm_service.domain.errors import ProviderRefused
from llm_service.domain.models import Deployment, Health
from llm_service.service.learned import Learned

FACT = "does not speak "


class Without:
    """The model as if it did not speak one format."""

    def __init__(self, inner: LanguageModel, form: Format) -> None:
        self._inner = inner
        self._form = form

    def speaks(self, form: Format) -> bool:
        return form is not self._form and self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        return await self._inner.complete(deployment, call)

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        return await self._inner.stream(deployment, call, out)

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)


class Perhaps:
    """Asks `inner`, or `translated` where a server turned out not to know the format."""

    def __init__(self, inner: LanguageModel, translated: LanguageModel, form: Format, learned: Learned) -> None:
        self._inner = inner
        self._translated = translated
        self._form = form
        self._fact = FACT + form.value
        self._learned = learned

    def speaks(self, form: Format) -> bool:
        return self._inner.speaks(form)

    async def complete(self, deployment: Deployment, call: Call) -> Answer:
        if not self._known(deployment, call):
            try:
                return await self._inner.complete(deployment, call)
            except ProviderRefused as error:
                if not self._unspoken(call, error):
                    raise
        answer = await self._translated.complete(deployment, call)
        self._remember(deployment, call)
        return answer

    async def stream(self, deployment: Deployment, call: Call, out: Out) -> Ending:
        if not self._known(deployment, call):
            try:
                return await self._inner.stream(deployment, call, out)
            except ProviderRefused as error:
                if out.started or not self._unspoken(call, error):
                    raise
        ending = await self._translated.stream(deployment, call, out)
        self._remember(deployment, call)
        return ending

    def health(self, deployment: Deployment) -> Health:
        return self._inner.health(deployment)

    def _known(self, deployment: Deployment, call: Call) -> bool:
        return call.format is self._form and self._learned.knows(self._fact, deployment)

    def _unspoken(self, call: Call, error: ProviderRefused) -> bool:
        told = error.metadata
        return call.format is self._form and told.get("provider_status") == "404" and "code" not in told

    def _remember(self, deployment: Deployment, call: Call) -> None:
        if call.format is self._form:
            self._learned.learn(self._fact, deployment)
