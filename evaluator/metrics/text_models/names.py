"""The text models that metrics take where none are named."""

from __future__ import annotations

from typing import Final

MINILM: Final = "all-MiniLM-L6-v2"
"""The model of CSNS in the AIM825 report; comes with a package where that is installed."""
DISTILBERT: Final = "distilbert-base-uncased"
"""The model of BERTScore in the AIM825 report."""
AUTOMATIC: Final = "auto"
"""DistilBERT where it can be had, else all-MiniLM-L6-v2; the log and every table say which."""
