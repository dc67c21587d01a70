"""A judge behind an address: asked by a rubric, by the code that asks models for answers."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.asking import Question
from evaluator.endpoints.failing import Failing
from evaluator.endpoints.journal import Asked
from evaluator.endpoints.opening import opened_asker, require_models
from evaluator.endpoints.own_loop import OwnLoop
from evaluator.endpoints.spent import Prices, cost_of
from evaluator.endpoints.workers import Workers
from evaluator.judging.asking import FORM, NO_VERDICT, case_digest, request_for, verdict_in
from evaluator.judging.rubric import Rubric
from evaluator.judging.verdicts import Verdicts
from evaluator.metrics.text_models.judging import Case, Verdict
from evaluator.scoring.cost import Cost
from shared.program.async_stopping import AsyncStopSignal, stop_on_signals
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress

log = EventLog(__name__)

_SHOWN: Final = 200
"""Characters of a reply that the log shows."""
_TEMPERATURE: Final = 0.0
_EMPTY: Final = Verdict.WRONG
"""The verdict on an empty answer, which nobody is asked about."""


class AddressJudge:
    """Satisfies ``evaluator.metrics.text_models.judging.Judging``."""

    def __init__(self, endpoint: Endpoint, rubric: Rubric, kept: Verdicts, clock: Clock) -> None:
        self._endpoint = endpoint
        self._rubric = rubric
        self._kept = kept
        self._clock = clock
        way = f"{endpoint.way_of_asking}|{endpoint.model}|{rubric.digest}|{FORM}"
        self._way = hashlib.sha256(way.encode()).hexdigest()[:16]
        self._used: dict[str, Asked] = {}
        self._has_told = False

    @property
    def signature(self) -> str:
        """Return model and version, whose protocol, and by which rubric."""
        versions = sorted({one.answered_by for one in self._used.values() if one.answered_by})
        thinking = [f"thinking {self._endpoint.thinking}"] if self._endpoint.thinking else []
        return "|".join(
            [
                f"{self._endpoint.model}@{' and '.join(versions) or 'unnamed'}",
                self._endpoint.service.value,
                *thinking,
                f"rubric {self._rubric.name} #{self._rubric.digest}",
                f"asked #{self._endpoint.way_of_asking}",
                f"form {FORM}",
            ]
        )

    def start_anew(self) -> None:
        """Forget which verdicts were used: what follows is another file's."""
        self._used = {}

    def require_there(self) -> None:
        """Look whether the judge can be asked, which costs nothing.

        Raises:
            InputError: nobody is there, or the server says that it lacks the model.
        """
        with OwnLoop(AsyncStopSignal()) as loop:
            loop.run(self._look())

    def lacks_any(self, cases: Sequence[Case]) -> bool:
        """Return whether some case was not judged before."""
        return any(key not in self._kept.answers for key in self._distinct(cases))

    def verdicts(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return the verdict on each case; those that were judged before are not asked about.

        Raises:
            StoppedForNow: a signal asked for it; what was judged is kept.
            InputError, AboVqaError: the address is of no use; see ``Asker.ask``.
        """
        distinct = self._distinct(cases)
        todo = {key: case for key, case in distinct.items() if key not in self._kept.answers}
        if todo:
            log.info("judging", cases=len(todo), judged_before=len(distinct) - len(todo))
            stop = AsyncStopSignal()
            with OwnLoop(stop) as loop:
                loop.run(self._judged(todo, stop))
        self._used |= {key: self._kept.answers[key] for key in distinct}
        self._tell_other_versions()
        return [self._verdict(case)[0] for case in cases]

    def unsaid(self, cases: Sequence[Case]) -> Counter[str]:
        """Return why there is no verdict on some judged cases, and of how many that holds."""
        verdicts = map(self._verdict, cases)
        return Counter(why for verdict, why in verdicts if verdict is Verdict.UNSAID)

    @property
    def cost(self) -> Cost | None:
        """Return what the verdicts took that were used, whenever they were asked for."""
        return cost_of(list(self._used.values()), Prices(self._endpoint.price_of))

    def _distinct(self, cases: Sequence[Case]) -> dict[str, Case]:
        """Return the cases with an answer, each once by its key, and read what is kept of them."""
        distinct = {self._key(case): case for case in cases if case.answer.strip()}
        self._kept.read(list(distinct))
        return distinct

    def _key(self, case: Case) -> str:
        return f"{self._way}{case_digest(case)[:32]}"

    def _verdict(self, case: Case) -> tuple[Verdict, str]:
        if not case.answer.strip():
            return _EMPTY, ""
        asked = self._kept.answers[self._key(case)]
        if asked.failure:
            return Verdict.UNSAID, asked.failure
        verdict, why = verdict_in(asked.said or asked.answer)
        return verdict, why

    async def _look(self) -> None:
        async with opened_asker(self._endpoint, (), self._clock, AsyncStopSignal()) as asker:
            await require_models(asker, self._endpoint)

    async def _judged(self, todo: Mapping[str, Case], stop: AsyncStopSignal) -> None:
        """Ask about cases, and keep what comes of each."""
        before = [asked for asked in self._kept.answers.values() if not asked.failure]
        failing = Failing(self._endpoint.told, is_proven=bool(before))
        workers = Workers(self._endpoint.in_flight, failing, self._kept, self._heard)
        async with AsyncExitStack() as stack:
            asker = await stack.enter_async_context(
                opened_asker(self._endpoint, before, self._clock, stop)
            )
            await require_models(asker, self._endpoint)
            model = self._endpoint.known[self._endpoint.model]
            temperature = _TEMPERATURE if model.takes_temperature else None

            async def asks(key: str, case: Case) -> Question:
                request = request_for(
                    case,
                    self._rubric,
                    temperature=temperature,
                    most_output_tokens=self._endpoint.most_output_tokens,
                )
                return Question(key, self._endpoint.model, request)

            with (
                stop_on_signals(stop, "evaluator"),
                report_progress("judging", len(todo)) as progress,
            ):
                async for _ in workers.results(asker, todo, asks):
                    progress.advance()

    def _heard(self, asked: Asked) -> Asked:
        """Return what came, as a failure where it holds no verdict."""
        if asked.failure:
            return asked
        said = asked.said or asked.answer
        _, why = verdict_in(said)
        if why != NO_VERDICT:
            return asked
        if not self._has_told:
            self._has_told = True
            log.warning("judge_gave_no_verdict", model=self._endpoint.model, said=said[:_SHOWN])
        return replace(asked, failure=NO_VERDICT)

    def _tell_other_versions(self) -> None:
        versions = {one.answered_by for one in self._used.values() if one.answered_by}
        if len(versions) > 1:
            log.warning("several_models_judged", models=", ".join(sorted(versions)))
