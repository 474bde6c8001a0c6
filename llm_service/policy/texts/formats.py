"""The table of formats whose texts are known. One that is not here is refused to tenants with guardrails."""

from llm_service.domain.calls import Format
from llm_service.policy.texts.chat import ChatTexts
from llm_service.policy.texts.completions import CompletionTexts
from llm_service.policy.texts.messages import MessageTexts
from llm_service.policy.texts.responses import ResponseTexts
from llm_service.policy.texts.slots import Texts

TEXTS: dict[Format, Texts] = {
    Format.CHAT_COMPLETIONS: ChatTexts(),
    Format.COMPLETIONS: CompletionTexts(),
    Format.MESSAGES: MessageTexts(),
    Format.RESPONSES: ResponseTexts(),
}
