"""Campaigns, evaluations and trainings under fire: seeded, and held to what is promised.

``python -m tests.chaos --seeds 0-19 --minutes 15`` is what ``make chaos`` runs.
"""
