"""Evaluator: answers questions with replicas of a model and scores the answers."""

import shared  # noqa: F401 (first of all, see shared.torchvision_import)
