"""The JavaScript that the page runs on: out of the npm registry, each file as it was when tried."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Final

from shared.errors import AboVqaError, InputError
from shared.program.toml_files import parsed_toml

_FETCHING_S: Final = 300
_WAY_OUT: Final = (
    "or, where there is npm: npm install --ignore-scripts {names}; and give its node_modules with "
    "--node-modules"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package of the npm registry, and the SHA-256 of each file that is taken from it."""

    name: str
    version: str
    license: str
    sha256: Mapping[str, str]

    def __str__(self) -> str:
        """Return what npm installs."""
        return f"{self.name}@{self.version}"


class NoLibraries(AboVqaError):
    """npm does not bring what the page runs on."""


def packages() -> tuple[Package, ...]:
    """Return what the page runs on."""
    text = (files(__package__) / "libraries.toml").read_text(encoding="utf-8")
    stated = parsed_toml(text, "libraries.toml")
    return tuple(Package(**package) for package in stated["package"])


def require_libraries(node_modules: Path | None) -> None:
    """Check that the libraries can be had, before work that takes minutes.

    Raises:
        InputError: there is no npm, or a file in ``node_modules`` is missing or another.
    """
    if node_modules is not None:
        for package in packages():
            for _ in _installed(package, node_modules):
                pass
    elif which("npm") is None:
        names = " ".join(map(str, packages()))
        raise InputError(f"--to web needs npm (https://nodejs.org); {_WAY_OUT.format(names=names)}")


def libraries(node_modules: Path | None) -> dict[str, bytes]:
    """Return each file's content by its name.

    Raises:
        InputError: a file in ``node_modules`` is missing or another.
        NoLibraries: npm fails, or brings other files than were tried.
    """
    found: dict[str, bytes] = {}
    for package in packages():
        brought = _fetched(package) if node_modules is None else _installed(package, node_modules)
        found.update(brought)
    return found


def _installed(package: Package, node_modules: Path) -> Iterator[tuple[str, bytes]]:
    for name, digest in package.sha256.items():
        path = node_modules / package.name / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"--node-modules {node_modules}: lacks {package.name}/{name} ({error.strerror}); "
                f"npm install --ignore-scripts {package}"
            ) from error
        if sha256(content).hexdigest() != digest:
            raise InputError(f"--node-modules {node_modules}: {path} is not that of {package}")
        yield path.name, content


def _fetched(package: Package) -> Iterator[tuple[str, bytes]]:
    with TemporaryDirectory() as folder:
        archive = _packed(package, Path(folder))
        with tarfile.open(archive) as members:
            for name, digest in package.sha256.items():
                content = _member(members, f"package/{name}")
                if sha256(content).hexdigest() != digest:
                    raise NoLibraries(f"npm's {package} has another {name} than was tried")
                yield Path(name).name, content


def _member(members: tarfile.TarFile, name: str) -> bytes:
    """Return a file's content; nothing where there is no such file, which has another hash."""
    with suppress(KeyError):
        if member := members.extractfile(name):
            return member.read()
    return b""


def _packed(package: Package, folder: Path) -> Path:
    """Download a package as npm does, which runs none of its scripts."""
    npm = which("npm") or "npm"
    words = [npm, "pack", "--silent", "--ignore-scripts", str(package)]
    try:
        process = subprocess.run(  # noqa: S603 (npm, and names of ours)
            words, cwd=folder, capture_output=True, text=True, check=False, timeout=_FETCHING_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoLibraries(f"npm pack {package}: {error}") from error
    archives = list(folder.glob("*.tgz"))
    if process.returncode or len(archives) != 1:
        said = (process.stderr or process.stdout).strip().splitlines()
        reason = said[0] if said else f"exit code {process.returncode}"
        raise NoLibraries(f"npm pack {package}: {reason}; see --node-modules for a way without it")
    return archives[0]
