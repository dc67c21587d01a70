"""What tests of whom is asked share with those of the curator, who asks most."""

from tests.curator.conftest import _quiet_events, abo, clock, rehearsal, shop, stage

__all__ = ["_quiet_events", "abo", "clock", "rehearsal", "shop", "stage"]
