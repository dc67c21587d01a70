"""The environment variables that the curator reads."""

from __future__ import annotations

from typing import Final

from shared.endpoints.keys.key import Key
from shared.value_class import value_class

KEYS_VARIABLE: Final = "GEMINI_API_KEYS"
TOKEN_VARIABLE: Final = "CURATOR_STATUS_TOKEN"  # noqa: S105 - a name, no token

_OF_OTHER_SERVICES: Final = (
    *("ANTHROPIC", "CLAUDE", "HF_", "HUGGING", "WANDB", "AWS", "GITHUB", "COHERE", "KAGGLE"),
    *("LANGCHAIN", "LANGSMITH", "PINECONE", "STRIPE", "SLACK", "TELEGRAM", "REPLICATE"),
    *("^SECRET_KEY$", "SECRET_KEY_BASE", "MASTER_KEY", "DJANGO", "FLASK", "JWT", "SESSION"),
    *("DATABASE", "POSTGRES", "REDIS", "NEXTAUTH", "SUPABASE", "SENTRY", "ENCRYPTION"),
    *("DISCORD", "TWILIO", "SENDGRID", "CLOUDFLARE", "WEBHOOK", "SHOPIFY", "PAYPAL"),
)


@value_class
class KeySource:
    """Where a service's keys are, if in no file.

    ``variable`` holds them. ``near`` are variables that other tools read one key from; a pool is
    not made of it unasked. ``foreign`` is what names of variables, in a ``.env`` file with several,
    say of a key for another service; ``^`` and ``$`` stand for a name's start and end. ``without``
    are the keys where none are given; empty where the service needs one. ``has_cloud_door`` says
    that accounts of Google Cloud are keys as well.
    """

    variable: str
    near: tuple[str, ...] = ()
    foreign: tuple[str, ...] = _OF_OTHER_SERVICES
    without: tuple[Key, ...] = ()
    has_cloud_door: bool = False


GEMINI_KEYS: Final = KeySource(
    KEYS_VARIABLE,
    near=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    foreign=(
        *("OPENAI", "OPENROUTER", "GROQ", "MISTRAL", "DEEPSEEK", "TOGETHER", "AZURE", "XAI"),
        *_OF_OTHER_SERVICES,
    ),
    has_cloud_door=True,
)
OPENAI_KEYS: Final = KeySource(
    "OPENAI_API_KEY",
    foreign=("GEMINI", "GOOGLE", *_OF_OTHER_SERVICES),
    # Stands for the server on this machine.
    without=(Key("no-key", "no-project", ""),),
)
