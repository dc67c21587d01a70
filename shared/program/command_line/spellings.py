"""How options are spelt, and how they were in the first release, which still works."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence


def first_spelling(spellings: Sequence[str]) -> str:
    """Return the name of an option: its first long spelling.

    >>> first_spelling(["-v", "--verbose"])
    '--verbose'
    """
    return next((each for each in spellings if each.startswith("--")), spellings[0])


def old_spellings(spellings: Sequence[str]) -> list[str]:
    """Return the long spellings after the first, which are those of the first release.

    >>> old_spellings(["--endpoint", "--base-url"]), old_spellings(["-v", "--verbose"])
    (['--base-url'], [])
    """
    return [each for each in spellings if each.startswith("--")][1:]


def as_now(
    words: Sequence[str], renamed: Mapping[str, str], lone: str, with_value: Collection[str]
) -> list[str]:
    """Return a command's words as they are spelt today.

    Args:
        words: as they were typed.
        renamed: what options are called now, by what they were called.
        lone: the option whose values stand alone; empty where words may.
        with_value: the options of today that take a value.

    >>> now = {"--to": "--out"}
    >>> as_now(["a", "--to", "b", "--to=c", "d"], now, "--adapter", {"--out"})
    ['--adapter', 'a', '--out', 'b', '--out=c', '--adapter', 'd']
    """
    return list(_as_now(iter(words), renamed, lone, with_value))


def _as_now(
    words: Iterator[str], renamed: Mapping[str, str], lone: str, with_value: Collection[str]
) -> Iterator[str]:
    for word in words:
        if word == "--":
            yield from _after_all_options(words, lone)
        elif word.startswith("-") and word != "-":
            spelt, equals, value = word.partition("=")
            now = renamed.get(spelt, spelt)
            yield f"{now}{equals}{value}"
            if now in with_value and not equals:
                yield from [following for following in [next(words, None)] if following is not None]
        else:
            yield from (lone, word) if lone else (word,)


def _after_all_options(words: Iterator[str], lone: str) -> Iterator[str]:
    if not lone:
        yield "--"
    yield from (f"{lone}={word}" if lone else word for word in words)
