"""The environment variables that the curator reads."""

from __future__ import annotations

from typing import Final

KEYS_VARIABLE: Final = "GEMINI_API_KEYS"
NEAR_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
"""What other tools read one key from; a pool is not made of it unasked."""
OPTIONAL_KEYS_VARIABLE: Final = "OPENAI_API_KEY"
TOKEN_VARIABLE: Final = "CURATOR_STATUS_TOKEN"  # noqa: S105 - a name, no token

_NEITHER: Final = (
    *("ANTHROPIC", "CLAUDE", "HF_", "HUGGING", "WANDB", "AWS", "GITHUB", "COHERE", "KAGGLE"),
    *("LANGCHAIN", "LANGSMITH", "PINECONE", "STRIPE", "SLACK", "TELEGRAM", "REPLICATE"),
    *("^SECRET_KEY$", "SECRET_KEY_BASE", "MASTER_KEY", "DJANGO", "FLASK", "JWT", "SESSION"),
    *("DATABASE", "POSTGRES", "REDIS", "NEXTAUTH", "SUPABASE", "SENTRY", "ENCRYPTION"),
    *("DISCORD", "TWILIO", "SENDGRID", "CLOUDFLARE", "WEBHOOK", "SHOPIFY", "PAYPAL"),
)
NOT_GEMINI: Final = (
    *("OPENAI", "OPENROUTER", "GROQ", "MISTRAL", "DEEPSEEK", "TOGETHER", "AZURE", "XAI"),
    *_NEITHER,
)
NOT_OPENAI: Final = ("GEMINI", "GOOGLE", *_NEITHER)
"""What names of variables, in a ``.env`` file with several, say of a key for another service.

``^`` and ``$`` stand for a name's start and end.
"""
