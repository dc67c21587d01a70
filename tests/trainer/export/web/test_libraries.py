"""What the page runs on is what was tried, or there is no page."""

import shutil

import pytest

from shared.errors import InputError
from trainer.export.web import libraries as module
from trainer.export.web.libraries import NoLibraries, libraries, packages, require_libraries
from trainer.export.web.page import require_filter


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A node_modules with small files, which are said to be the right ones."""
    small = []
    for package in packages():
        digests = {}
        for name in package.sha256:
            path = tmp_path / package.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
            digests[name] = module.sha256(name.encode()).hexdigest()
        small.append(module.Package(package.name, package.version, package.license, digests))
    monkeypatch.setattr(module, "packages", lambda: tuple(small))
    return tmp_path


def test_files_are_taken_from_node_modules_by_their_names(modules):
    require_libraries(modules)
    found = libraries(modules)
    assert found["ort.wasm.min.mjs"] == b"dist/ort.wasm.min.mjs"
    assert found["tokenizers.min.mjs"] == b"dist/tokenizers.min.mjs"


def test_a_file_that_is_missing_or_another_is_refused_by_name(modules):
    path = modules / "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
    path.write_bytes(b"another")
    with pytest.raises(InputError, match=r"simd-threaded.wasm is not that of onnxruntime-web@1"):
        require_libraries(modules)
    path.unlink()
    with pytest.raises(InputError, match=r"lacks onnxruntime-web/dist/ort-wasm.*npm install"):
        libraries(modules)


def test_without_npm_the_way_out_is_told(monkeypatch):
    monkeypatch.setattr(module, "which", lambda _: None)
    with pytest.raises(InputError, match=r"--to web needs npm .* --node-modules"):
        require_libraries(None)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'npm error code ENOTFOUND' >&2; exit 1", "npm error code ENOTFOUND; see --node"),
        ("exit 0", "exit code 0; see --node-modules"),
        ("tar czf one.tgz --files-from /dev/null", "has another dist/ort.wasm"),
    ],
)
def test_an_npm_that_fails_or_brings_something_else_is_told(tmp_path, monkeypatch, script, said):
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setattr(module, "which", lambda _: str(npm))
    with pytest.raises(NoLibraries, match=said):
        libraries(None)


def test_a_filter_that_the_page_lacks_is_refused():
    require_filter({"resample": 3})
    with pytest.raises(InputError, match=r"filter 1, and the page has bilinear"):
        require_filter({"resample": 1})
