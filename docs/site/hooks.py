"""The hook of ``mkdocs.yml``: adds what is made of the code and the repository, and mends links."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.site.navigation import navigation
from docs.site.notebooks import notebook_page
from docs.site.outside import PAGES, ROOT, linked_files, rewritten
from docs.site.reference.commands import PROGRAMS, program_page, renamed_page
from docs.site.reference.events import events_page
from docs.site.reference.exit_codes import exit_codes_page
from docs.site.reference.files import files_page
from docs.site.reference.metrics import metrics_page

MERMAID: Final = "assets/mermaid.min.js"
_MERMAID_HERE: Final = ROOT / ".mermaid/package/dist/mermaid.min.js"
"""Put there by ``make docs``; nothing is fetched from elsewhere by who reads the site."""
_REFERENCE: Final[dict[str, Callable[[], str]]] = {
    "exit-codes.md": exit_codes_page,
    "events.md": events_page,
    "files.md": files_page,
    "renamed.md": renamed_page,
    "metrics.md": metrics_page,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation; let diagrams stand as text where nothing is at hand that draws them."""
    pages = [*PROGRAMS, *(name.removesuffix(".md") for name in _REFERENCE), "python"]
    config.nav = navigation([f"reference/{page}.md" for page in pages])
    if not _MERMAID_HERE.is_file():
        config.mdx_configs["pymdownx.superfences"] = {}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files that do not lie in ``docs``."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for program in PROGRAMS:
        page = f"reference/{program}.md"
        files.append(File.generated(config, page, content=program_page(program)))
    for name, made in _REFERENCE.items():
        files.append(File.generated(config, f"reference/{name}", content=made()))
    for notebook in sorted(ROOT.glob("docs/notebooks/*.ipynb")):
        page = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, page, content=notebook_page(notebook)))
    others = dict(
        found
        for file in files.documentation_pages()
        for found in linked_files(file.content_string, file.src_uri)
    )
    if _MERMAID_HERE.is_file():
        others[MERMAID] = _MERMAID_HERE
    for place, path in others.items():
        files.append(_copied(config, place, path))
    return files


def _copied(config: MkDocsConfig, place: str, path: Path) -> File:
    return File.generated(config, place, abs_src_path=str(path))


def on_page_markdown(markdown: str, page: Page, **_others: object) -> str:
    """Let links to files of the repository lead to where these stand on the site."""
    return (
        markdown
        if page.file.src_uri.startswith("reference/")
        else rewritten(markdown, page.file.src_uri)
    )


def on_post_page(output: str, page: Page, **_others: object) -> str:
    """Load what draws diagrams where there is one, before the theme looks for it elsewhere."""
    if 'class="mermaid"' not in output:
        return output
    place = posixpath.relpath(MERMAID, posixpath.dirname(page.file.dest_uri) or ".")
    first = output.index("<script src=")
    return f'{output[:first]}<script src="{place}"></script>{output[first:]}'
