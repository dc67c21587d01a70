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
        return all(outcome.state is State.FINISHED for outcome in self.outcomes)

    @property
    def best_seed(self) -> Outcome:
        """The trial with the highest exact match."""
        return max(self.outcomes, key=lambda outcome: outcome.exact_match or 0.0)


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
        means = [marginal.mean for marginal in self.marginals]
        return max(means) - min(means)

    @property
    def best(self) -> Marginal:
        """The value with the highest marginal mean."""
        return max(self.marginals, key=lambda marginal: marginal.mean)


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
        return next(
            (scored for scored in self.scored if scored.whole), next(iter(self.scored), None)
        )


def find(outcomes: Sequence[Outcome], varied: Sequence[str]) -> Findings:
    """Judge a sweep; a trial that was stopped early counts with the best score it had."""
    by_combination: dict[Combination, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.exact_match is not None:
            by_combination.setdefault(outcome.trial.combination, []).append(outcome)
    # In the order of the recipe's lists, and so are each setting's values.
    scored = [_scored(*of_combination) for of_combination in by_combination.items()]
    effects = sorted((_effect(name, scored) for name in varied if scored), key=lambda e: -e.size)
    return Findings(
        base=next((outcome.base for outcome in outcomes if outcome.base is not None), None),
        scored=tuple(sorted(scored, key=lambda row: -row.mean)),
        effects=tuple(effects),
        between_seeds=_pooled(row.spread for row in scored if row.spread is not None),
        outcomes=tuple(outcomes),
    )


def _scored(combination: Combination, outcomes: Sequence[Outcome]) -> Scored:
    scores = [outcome.exact_match for outcome in outcomes if outcome.exact_match is not None]
    return Scored(combination, tuple(outcomes), mean(scores), _spread(scores))


def _effect(name: str, scored: Sequence[Scored]) -> Effect:
    by_value: dict[str, list[float]] = {}
    for row in scored:
        by_value.setdefault(row.combination.value(name), []).append(row.mean)
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
    lines = []
    if findings.base is not None:
        lines.append(f"base alone: exact match {findings.base:.4f}")
    lines.append(f"best: {_named(best.combination, findings)}: exact match {_with_spread(best)}")
    if not best.whole:
        lines.append("(no combination was trained to its end with every seed)")
    if findings.base is not None and best.mean <= findings.base:
        lines.append("no better than the base alone: try other values, or more data")
    if findings.between_seeds is not None:
        lines.append(f"the seed alone moves exact match by {findings.between_seeds:.4f} (std)")
    else:
        lines.append("one seed alone: small differences may be chance; try seeds = [0, 1, 2]")
    lines += [_effect_sentence(effect, findings.between_seeds) for effect in findings.effects]
    early = sum(outcome.state is State.STOPPED_EARLY for outcome in findings.outcomes)
    if early:
        lines.append(
            f"{early} of {len(findings.outcomes)} trials were stopped early and count with the "
            "best score that they had"
        )
    failed = [outcome for outcome in findings.outcomes if outcome.state is State.FAILED]
    lines += [f"failed: {outcome.trial.name}: {outcome.reason}" for outcome in failed]
    return lines


def _effect_sentence(effect: Effect, between_seeds: float | None) -> str:
    means = ", ".join(f"{marginal.value}: {marginal.mean:.4f}" for marginal in effect.marginals)
    text = f"{effect.setting} moves the mean by {effect.size:.4f} ({means})"
    if between_seeds is not None and effect.size <= between_seeds:
        text += ", no more than the seed does"
    return text


def _named(combination: Combination, findings: Findings) -> str:
    names = [effect.setting for effect in findings.effects]
    return ", ".join(f"{name} {combination.value(name)}" for name in names) or "the recipe"


def _with_spread(scored: Scored) -> str:
    if scored.spread is None:
        return f"{scored.mean:.4f}"
    return f"{scored.mean:.4f} ± {scored.spread:.4f} over {len(scored.outcomes)} seeds"
