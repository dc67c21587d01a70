"""What is fuzzed: a reader for each kind of file that a user gives, and what must hold of it.

Whatever the bytes are, a reader returns, or raises an error that is meant for the user: one line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curator.catalog import Skipped, open_catalog
from curator.commands.campaign.campaign_file import read_campaign_file
from curator.judging.agreeing.listing_map import read_map
from curator.prompts.prompts import read_prompts
from curator.review.exchange.importing import read_returned
from shared.corpus import read_pair_table, read_prediction_table
from shared.endpoints.keys.keyfile import read_key_file
from shared.endpoints.models.users_file import models_with
from shared.errors import AboVqaError
from shared.program.settings import load_settings
from tests.fuzz.replies import PIECES, check_reply
from trainer.recipe.recipe import FitRecipe

LONGEST_LINE: Final = 2_000
"""Characters; what a message repeats of a file is cut."""
_TABLE: Final = (
    *(",", ";", "\t", "|", "\n", "\r\n", '"', '""', " ", "0", "1e999", "\0", "\ufeff", "\u2028"),
    *("id", "Handle", "Title", "image", "Image Src", "a.jpg", "b.jpg", "../a.jpg", "name"),
    *("http://host/a.jpg", "['a.jpg', 'b.jpg']", "question", "answer", "prediction", "answers"),
    *("filename", "What is it?", "red", "['red', 'red']", '[{"answer": "red"}]', "split", "train"),
)
_JSON: Final = (
    *("[", "]", "{", "}", ":", ",", "\n", '"image": "a.jpg"', '"id": 7', '"title": "x"', "null"),
    *('"question": "What?"', '"answer": "red"', '"answers": ["a"]', '"prediction": "b"', "1e999"),
    *('"images": [{"src": "a.jpg"}]', '"boxes": [[0, 0, 1, 1]]', '"\\ud83d"', "true", '"data"'),
    *('"annotations": []', '"result": []', '"records": [', '"conversations": [{"value": "x"}]'),
)
_XML: Final = (
    *("<rss>", "</rss>", "<channel>", "</channel>", "<item>", "</item>", "<g:id>1</g:id>", "&amp;"),
    *("<g:image_link>a.jpg</g:image_link>", "<title>x</title>", "<![CDATA[x]]>", "<!-- x -->"),
    *('<?xml version="1.0"?>', ' xmlns:g="http://base.google.com/ns/1.0"', "&#x0;", "<", ">"),
)
_TOML: Final = (
    *("[", "]", "[[", "]]", "=", '"', '"""', "\n", "#", "true", "1e999", "-1", "'", "{", "}", ","),
    *("key", 'secret = "AIza-not-a-key"', "project", "rpm = 5", "model", "name", "[[key]]"),
    *("text", "fields", "styles", "share = 0.5", "language", '"{question}"', "rules", "examples"),
    *("data", "images", "out", "lora", "rank = 4", "targets", '["q", "v"]', "sweep", "epochs = 1"),
    *("catalog", "keys", "ledger", "prompt", "limit = 5", "prices", "tile", "retires"),
)


@dataclass(frozen=True)
class Target:
    """A reader; ``suffixes`` are those of the files that it takes, ``pieces`` what they hold."""

    read: Callable[[Path], object]
    suffixes: Sequence[str]
    pieces: Sequence[str]

    def content(self, picks: Sequence[int], rest: str) -> bytes:
        """Return the pieces of these numbers, one after the other, and ``rest``."""
        text = "".join(self.pieces[pick % len(self.pieces)] for pick in picks) + rest
        return text.encode(errors="surrogatepass")

    def check(self, content: bytes, suffix: str, folder: Path) -> None:
        """Raise unless the reader takes the content, or refuses it in one line."""
        file = folder / f"input{suffix}"
        file.write_bytes(content)
        try:
            self.read(file)
        except AboVqaError as error:
            refusal = str(error)
        else:
            return
        assert refusal.strip()
        assert "\n" not in refusal, refusal
        assert len(refusal) <= LONGEST_LINE, refusal


def _read_catalog(path: Path) -> None:
    images = path.parent / "images"
    images.mkdir(exist_ok=True)
    catalog = open_catalog(path, images)
    list(catalog.listings(Skipped()))
    catalog.fingerprint()


def _check_reply(path: Path) -> None:
    content = path.read_bytes()
    try:
        check_reply(content.decode(errors="surrogatepass"))
    except UnicodeDecodeError:
        check_reply(content.decode(errors="replace"))


TARGETS: Final[Mapping[str, Target]] = {
    "tables": Target(_read_catalog, (".csv", ".tsv"), _TABLE),
    "feeds": Target(_read_catalog, (".xml",), _XML),
    "json-catalogues": Target(_read_catalog, (".json", ".jsonl"), _JSON),
    "pairs": Target(read_pair_table, (".csv", ".tsv"), _TABLE),
    "json-pairs": Target(read_pair_table, (".json", ".jsonl"), _JSON),
    "predictions": Target(read_prediction_table, (".csv", ".json", ".jsonl"), (*_TABLE, *_JSON)),
    "reviews": Target(read_returned, (".json", ".jsonl"), _JSON),
    "keys": Target(read_key_file, (".toml", ".txt", ".env", ".json", ".csv"), (*_TOML, *_JSON)),
    "models": Target(models_with, (".toml",), _TOML),
    "prompts": Target(lambda path: read_prompts([(path, None)]), (".toml",), _TOML),
    "agreement": Target(read_map, (".toml",), _TOML),
    "campaigns": Target(read_campaign_file, (".toml",), _TOML),
    "recipes": Target(lambda path: load_settings(FitRecipe, path), (".toml",), _TOML),
    "replies": Target(_check_reply, (".txt",), PIECES),
}
