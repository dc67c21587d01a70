"""The examples of a prompt file, held to the rules that replies are held to.

A model does as it is shown: an example that breaks a rule brings pairs that are thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curator.judging.drafts import Draft
from curator.judging.rules import RejectedDraft, Rule, validate
from curator.prompts.prompt import Prompt
from curator.prompts.prompts import Prompts, read_prompts
from curator.prompts.reply_fields import STYLE
from curator.prompts.wording import words_text
from shared.errors import InputError


def read_sound_prompts(
    files: Sequence[tuple[Path, float | None]],
    questions: int | None = None,
    answer_words: int | None = None,
) -> Prompts:
    """Return what ``read_prompts`` does, if the examples of each file keep its own rules.

    Raises:
        InputError: they do not, or ``read_prompts`` raises it.
    """
    prompts = read_prompts(files, questions, answer_words)
    for (path, _), part in zip(files, prompts.parts, strict=False):
        require_sound_examples(part.prompt, path)
    return prompts


def require_sound_examples(prompt: Prompt, path: Path) -> None:
    """Check that the examples of the prompt file at ``path`` keep its rules.

    Raises:
        InputError: one does not; the message names the first, its rule and the way out.
    """
    drafts = [
        Draft(each.question, each.answer, others={**each.fields, STYLE: each.style})
        for each in prompt.file.examples
    ]
    judged = validate(drafts, answer_words=prompt.answer_words, prompt=prompt.file)
    if judged.rejected:
        raise InputError(f"{path}: examples: {_fault(judged.rejected[0], prompt)}")


def _fault(broken: RejectedDraft, prompt: Prompt) -> str:
    draft, rule = broken.draft, broken.rule
    pair = f"{draft.question!r} with the answer {draft.answer!r}"
    if rule is Rule.EMPTY:
        return f"{pair} has no word in one of them"
    limit = ""
    if rule is Rule.WORD_COUNT:
        style = prompt.file.styles.get(draft.style)
        longest = (style and style.answer_words) or prompt.answer_words
        limit = f" ({words_text(longest)})"
    return (
        f"{pair} breaks the file's own rule {rule.value}{limit}, so that pairs like it would be "
        f"thrown away; mend it, or set {rule.value} = false under [rules]"
    )
