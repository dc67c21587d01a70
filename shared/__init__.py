"""What the three parts share: records, data files, settings, events and the model module."""

from shared.torchvision_import import watch_for_torchvision

# Before any module of any part imports transformers or open_clip.
watch_for_torchvision()
