"""Replicas of a model as the source of answers: what they load, checked before Ray starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from evaluator.answering.bundle import NO_REGIONS
from evaluator.answering.fleet import Fleet
from evaluator.answering.ray_fleet import RayFleet
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from evaluator.runs.record import NamedAdapter
from evaluator.runs.settings import RunSettings
from evaluator.runs.status import Pace
from evaluator.scoring.cost import THOUSAND, Cost, usd_of_hours
from shared.cluster.ray_cluster import connect_ray, is_elsewhere, leave_ray, present_share
from shared.errors import InputError
from shared.onnx_vqa import is_bundle
from shared.program.reporting.event_log import EventLog
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.blip.grounding import REGIONS
from shared.vqa.families import why_no_regions
from shared.vqa.trained_on import KnownTraining, known_training

log = EventLog(__name__)


class ReplicaSource:
    """Satisfies ``evaluator.runs.sources.source.AnswerSource``."""

    def __init__(self, settings: RunSettings, images: str) -> None:
        """Look at all files.

        Raises:
            InputError: model, adapters and images do not go together, or cards cannot be shared so.
        """
        _check_share(settings.gpus_per_replica)
        self._settings = settings
        self._adapters = settings.adapters
        self._replica = replica_settings(
            settings.model,
            self._adapters.single,
            settings.quantize.value,
            images,
            batch_size=settings.batch_size,
            adapters=self._adapters.named,
            instruction=settings.instruction,
            device=_device(settings.address, settings.gpus_per_replica),
        )

    @property
    def endpoint(self) -> None:
        """None: replicas answer."""
        return

    def training(self) -> KnownTraining:
        """Return what lies beside the weights."""
        return known_training(self._settings.model, self._adapters.folders)

    def why_no_regions(self) -> str:
        """Return why regions behind an answer cannot be had; empty where they can."""
        model = self._settings.model
        return NO_REGIONS if is_bundle(model) else why_no_regions(model)

    def facts(self, *, with_regions: bool) -> Mapping[str, Any]:
        """Return what a run's record says of the model."""
        settings, single = self._settings, self._adapters.single
        return {
            "model": settings.model,
            "quantization": self._replica.quantization.value,
            "adapter": self._replica.adapter,
            "adapter_sha256": "" if single is None else adapter_digest(single),
            "prompt": self._replica.instruction.template,
            "max_new_tokens": self._replica.instruction.longest_answer,
            "grounding": REGIONS if with_regions else "",
        }

    def named_adapters(self) -> Mapping[str, NamedAdapter]:
        """Return the adapters that answer by domain."""
        return {
            name: NamedAdapter(folder=str(folder.resolve()), sha256=adapter_digest(folder))
            for name, folder in self._adapters.named.items()
        }

    def fleet(self, *, with_regions: bool) -> Fleet:
        """Return replicas on a Ray cluster."""
        settings = self._settings
        # Both take their time, and until the first answer there is nothing else to see.
        log.info("starting_replicas", replicas=settings.replicas, model=settings.model)
        connect_ray(settings.address, settings.replicas, "evaluator")
        share = present_share(settings.replicas, settings.gpus_per_replica)
        replica = replace(self._replica, measure_grounding=with_regions)
        return RayFleet(Replica, [replica], settings.replicas, share)

    def cost(self, pace: Pace | None) -> Cost | None:
        """Return what answers cost where the machine's price is known.

        Else a scorecard says nothing of time: it is the same on every machine.
        """
        hourly = self._settings.price_per_hour
        if pace is None or hourly is None:
            return None
        seconds_k = THOUSAND * pace.seconds / pace.answers
        usd_k = usd_of_hours(seconds_k, hourly)
        return Cost(pace.answers, seconds_k, usd_k=usd_k, price=f"{hourly:g} US dollars an hour")

    def close(self) -> None:
        """Leave the cluster."""
        leave_ray()


def _check_share(gpus_per_replica: float | None) -> None:
    if gpus_per_replica is None or 0 <= gpus_per_replica <= 1 or gpus_per_replica.is_integer():
        return
    raise InputError(
        f"--gpus-per-replica {gpus_per_replica}: give a part of a card, such as 0.25, "
        "a whole number of cards, or 0 to run on CPUs"
    )


def _device(address: str | None, gpus_per_replica: float | None) -> torch.device | None:
    """Return where replicas hold the model; ``None`` for the best device of this machine."""
    if is_elsewhere(address):
        return torch.device("meta")
    return torch.device("cpu") if gpus_per_replica == 0 else None
