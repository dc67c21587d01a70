"""What a sweep found: the best combination, and which settings mattered. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from trainer.sweep.outcome import Outcome, State
from trainer.sweep.space import Combination


@dataclass(frozen=True, slots=True)
class Scored:
    """A combination over its seeds; exact match in [0, 1].

    ``spread`` is the standard deviation between seeds, ``None`` where there is one alone.
    """

    combination: Combination
    outcomes: tuple[Outcome, ...]
    mean: float
    spread: float | None

    @property
    def whole(self) -> bool:
        """Whether every seed was trained to its end."""
        return all(one.state is State.FINISHED for one in self.outcomes)

    @property
    def best_seed(self) -> Outcome:
        """The trial with the highest exact match."""
        return max(self.outcomes, key=lambda one: one.exact_match or 0.0)


@dataclass(frozen=True, slots=True)
class Marginal:
    """The mean over all combinations with one value of a setting; ``n`` of them."""

    value: str
    mean: float
    spread: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a setting did to exact match, all other settings averaged over."""

    setting: str
    marginals: tuple[Marginal, ...]

    @property
    def size(self) -> float:
        """The highest marginal mean less the lowest."""
        means = [one.mean for one in self.marginals]
        return max(means) - min(means)

    @property
    def best(self) -> Marginal:
        """The value with the highest marginal mean."""
        return max(self.marginals, key=lambda one: one.mean)


@dataclass(frozen=True, slots=True)
class Findings:
    """Combinations from the best on, settings from the one that mattered most on.

    ``between_seeds`` is the standard deviation that the seed alone makes, pooled over the
    combinations that have several; ``None`` where none has.
    """

    base: float | None
    scored: tuple[Scored, ...]
    effects: tuple[Effect, ...]
    between_seeds: float | None
    outcomes: tuple[Outcome, ...]

    @property
    def best(self) -> Scored | None:
        """The best combination of those trained to their end with every seed, if there is one."""
        return next((one for one in self.scored if one.whole), next(iter(self.scored), None))


def find(outcomes: Sequence[Outcome], varied: Sequence[str]) -> Findings:
    """Judge a sweep; a trial that was stopped early counts with the best score it had."""
    by_combination: dict[Combination, list[Outcome]] = {}
    for one in outcomes:
        if one.exact_match is not None:
            by_combination.setdefault(one.trial.combination, []).append(one)
    # In the order of the recipe's lists, and so are each setting's values.
    scored = [_scored(combination, ones) for combination, ones in by_combination.items()]
    effects = sorted((_effect(name, scored) for name in varied if scored), key=lambda e: -e.size)
    return Findings(
        base=next((one.base for one in outcomes if one.base is not None), None),
        scored=tuple(sorted(scored, key=lambda one: -one.mean)),
        effects=tuple(effects),
        between_seeds=_pooled(one.spread for one in scored if one.spread is not None),
        outcomes=tuple(outcomes),
    )


def _scored(combination: Combination, outcomes: Sequence[Outcome]) -> Scored:
    scores = [one.exact_match for one in outcomes if one.exact_match is not None]
    return Scored(combination, tuple(outcomes), mean(scores), _spread(scores))


def _effect(name: str, scored: Sequence[Scored]) -> Effect:
    by_value: dict[str, list[float]] = {}
    for one in scored:
        by_value.setdefault(one.combination.value(name), []).append(one.mean)
    return Effect(
        name,
        tuple(
            Marginal(value, mean(means), _spread(means), len(means))
            for value, means in by_value.items()
        ),
    )


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def _pooled(spreads: Iterable[float]) -> float | None:
    squares = [spread**2 for spread in spreads]
    return mean(squares) ** 0.5 if squares else None


def sentences(findings: Findings) -> list[str]:
    """Say in words what the numbers mean."""
    best = findings.best
    if best is None:
        return ["no trial came to the end of its first epoch"]
    said = []
    if findings.base is not None:
        said.append(f"base alone: exact match {findings.base:.4f}")
    said.append(f"best: {_named(best.combination, findings)}: exact match {_with_spread(best)}")
    if not best.whole:
        said.append("(no combination was trained to its end with every seed)")
    if findings.base is not None and best.mean <= findings.base:
        said.append("no better than the base alone: try other values, or more data")
    if findings.between_seeds is not None:
        said.append(f"the seed alone moves exact match by {findings.between_seeds:.4f} (std)")
    else:
        said.append("one seed alone: small differences may be chance; try seeds = [0, 1, 2]")
    said += [_effect_sentence(effect, findings.between_seeds) for effect in findings.effects]
    early = sum(one.state is State.STOPPED_EARLY for one in findings.outcomes)
    if early:
        said.append(
            f"{early} of {len(findings.outcomes)} trials were stopped early and count with the "
            "best score that they had"
        )
    failed = [one for one in findings.outcomes if one.state is State.FAILED]
    said += [f"failed: {one.trial.name}: {one.reason}" for one in failed]
    return said


def _effect_sentence(effect: Effect, between_seeds: float | None) -> str:
    means = ", ".join(f"{one.value}: {one.mean:.4f}" for one in effect.marginals)
    text = f"{effect.setting} moves the mean by {effect.size:.4f} ({means})"
    if between_seeds is not None and effect.size <= between_seeds:
        text += ", no more than the seed does"
    return text


def _named(combination: Combination, findings: Findings) -> str:
    names = [effect.setting for effect in findings.effects]
    return ", ".join(f"{name} {combination.value(name)}" for name in names) or "the recipe"


def _with_spread(one: Scored) -> str:
    if one.spread is None:
        return f"{one.mean:.4f}"
    return f"{one.mean:.4f} ± {one.spread:.4f} over {len(one.outcomes)} seeds"
