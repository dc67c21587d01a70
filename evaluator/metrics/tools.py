"""Tools that single metrics need and that may be missing: found, or refused with the way out."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Final

from shared.errors import InputError

CAPTIONING: Final = "captioning"
"""The extra with pycocoevalcap, sacrebleu, rouge-score and nltk."""
CLIP: Final = "clip"
"""The extra with open_clip."""


class ToolMissing(InputError):
    """A metric was asked for whose tool is not on this machine; the message says the way out."""


def require_module(metric: str, module: str, extra: str) -> ModuleType:
    """Import ``module`` for ``metric``.

    Raises:
        ToolMissing: it is not installed; ``extra`` brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ToolMissing(
            f"--metrics {metric}: needs {error.name}, which is not installed; "
            f"pip install 'abo-vqa[{extra}]', or leave {metric} out"
        ) from error


def require_folder(metric: str, package: str, extra: str) -> Path:
    """Return the folder of an installed package without importing it.

    Raises:
        ToolMissing: it is not installed; ``extra`` brings it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ToolMissing(
            f"--metrics {metric}: needs {package}, which is not installed; "
            f"pip install 'abo-vqa[{extra}]', or leave {metric} out"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def require_java(metric: str) -> str:
    """Return the path of the program ``java``.

    Raises:
        ToolMissing: there is none.
    """
    java = shutil.which("java")
    if java is None:
        raise ToolMissing(
            f"--metrics {metric}: needs Java (8 or newer) on the PATH; install a JRE such as "
            f"default-jre-headless, or leave {metric} out"
        )
    return java


def named_version(distribution: str) -> str:
    """Return a distribution's name with its version, for signatures."""
    return f"{distribution} {version(distribution)}"
