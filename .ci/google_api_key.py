"""What a key of Google's APIs looks like, for detect-secrets, which knows the keys of others."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class GoogleApiKeyDetector(RegexBasedDetector):
    """Finds keys of the old form (AIza...) and of the new one (AQ....)."""

    secret_type = "Google API key"  # noqa: S105
    denylist = (re.compile(r"\bAIza[\w-]{35}\b"), re.compile(r"\bAQ\.[\w-]{40,}\b"))
