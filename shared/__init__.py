"""What the three parts share: records, data files, settings, events and the model module."""

from shared.starting import end_at_once_while_starting

# Before anything else is imported, which takes a while.
end_at_once_while_starting()

from shared.aiohttp_import import watch_for_aiohttp  # noqa: E402
from shared.torchvision_import import watch_for_torchvision  # noqa: E402
from shared.whole_imports import watch_for_interrupts  # noqa: E402

# Before any module of any part imports aiohttp, transformers or open_clip.
watch_for_interrupts()
watch_for_aiohttp()
watch_for_torchvision()
