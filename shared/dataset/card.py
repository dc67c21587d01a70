"""The card of a data set folder: what is in it, what was asked, and how to use it; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from shared.corpus import MANIFEST_FILE, QA_FILE
from shared.records import SPLITS

SPLITS_FOLDER: Final = "data"
NO_LICENSE: Final = (
    "No licence was named. Of the pictures it is their catalogue's, and what a model wrote is "
    "under the terms of its service; `--license NAME` names one when the folder is written."
)
_TO_TRAIN: Final = """\
To fine-tune a model, write `recipe.toml` (`trainer recipe` prints all that it may say):

```toml
model = "Salesforce/blip-vqa-base"
data = "THIS_FOLDER"
{images}out = "adapter"
```

and type, the last line to score it on the test split:

```sh
evaluator check --data THIS_FOLDER{option}
trainer fit recipe.toml
evaluator run --data THIS_FOLDER{option} --adapter adapter \\
    --model Salesforce/blip-vqa-base --out run
```"""


def card_text(manifest: Mapping[str, Any]) -> str:
    """Return the card, whose head tells `datasets` where the splits are."""
    parts = _prompts(manifest["source"])
    body = [
        "# Questions and answers about product images",
        *_summary(manifest),
        *_licence(manifest),
        *_asked(parts),
        *_columns(manifest.get("extra_columns", {})),
        "## How to use it",
        '```python\nfrom datasets import load_dataset\n\nsplits = load_dataset("THIS_FOLDER")\n```',
        _to_train(images_within=manifest["images_embedded"]),
    ]
    return "\n".join([*_head(manifest, parts), "", "\n\n".join(body), ""])


def card_on_hub(card: str, name: str) -> str:
    """Return a card that names the repository where it named the folder that it lay in."""
    loaded = card.replace('load_dataset("THIS_FOLDER")', f'load_dataset("{name}")')
    return loaded.replace("THIS_FOLDER", f"hf://datasets/{name}")


def _to_train(*, images_within: bool) -> str:
    if images_within:
        return _TO_TRAIN.format(images="", option="")
    return _TO_TRAIN.format(images='images = "IMAGES"\n', option=" --images IMAGES")


def _licence(manifest: Mapping[str, Any]) -> Iterator[str]:
    if manifest.get("license"):
        yield f"Licence: {manifest['license']}."
    elif str(manifest["source"].get("program")).startswith("curator"):
        yield NO_LICENSE


def _head(manifest: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("---", "task_categories:", "- visual-question-answering")
    # A language that a prompt describes itself has a name, and no code.
    codes = dict.fromkeys(one["language"] for one in parts if isinstance(one["language"], str))
    if codes:
        yield from ("language:", *(f"- {code}" for code in codes))
    if manifest.get("license"):
        # A text in quotes is YAML, too.
        yield f"license: {json.dumps(manifest['license'], ensure_ascii=False)}"
    # Without splits too: where none is named, `datasets` guesses by what else lies in the folder.
    splits = [split for split in SPLITS if manifest["pairs_by_split"].get(split)]
    files = [(split, f"{SPLITS_FOLDER}/{split}.parquet") for split in splits]
    yield from ("configs:", "- config_name: default", "  data_files:")
    for split, path in files or [(SPLITS[0], QA_FILE)]:
        yield from (f"  - split: {split}", f"    path: {path}")
    yield "---"


def _summary(manifest: Mapping[str, Any]) -> Iterator[str]:
    by_split = manifest["pairs_by_split"]
    counts = ", ".join(f"{split} {by_split[split]:,}" for split in SPLITS if by_split.get(split))
    where = "in column `image`" if manifest["images_embedded"] else "named by `filename`"
    yield (
        f"{manifest['pairs']:,} pairs about {manifest['images']:,} images "
        f"({counts or 'without splits'}), the images {where}.\n"
        f"`{MANIFEST_FILE}` has counts, hashes, source, split rule and label agreement."
    )


def _prompts(source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the prompts of the one campaign, or of each of several."""
    campaigns = source.get("campaigns") or [source]
    return [part for campaign in campaigns for part in campaign.get("prompts", ())]


def _asked(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not parts:
        return
    yield "## What was asked"
    for part in parts:
        language = (
            part["language"] if isinstance(part["language"], str) else part["language"]["name"]
        )
        words = part["answer_words"]
        share = "" if part["share"] == 1 else f", of {part['share']:.0%} of the images"
        yield (
            f"Prompt `{part['name']}`, version `{part['version']}`: {part['questions']} questions "
            f"about each image{share}, answers of at most {words} word{'' if words == 1 else 's'}, "
            f"language `{language}`."
        )
        # Longer than any run of such marks within.
        yield f"````text\n{part['text']}\n````"


def _columns(extra: Mapping[str, str]) -> Iterator[str]:
    if extra:
        listed = ", ".join(f"`{name}` ({kind})" for name, kind in extra.items())
        yield f"Further columns: {listed}."
