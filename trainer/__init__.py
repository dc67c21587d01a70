"""Trainer: turns a data set into a LoRA adapter on a 4-bit base."""

import shared  # noqa: F401 (first of all, see shared.torchvision_import)
