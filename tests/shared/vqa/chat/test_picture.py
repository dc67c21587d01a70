"""What a model's own processor makes of pictures of any shape."""

from __future__ import annotations

import pytest
from PIL import Image

from shared.errors import CorruptImage
from shared.vqa.chat.processor import Picture
from tests.chat_models.qwen import save_qwen2_vl
from tests.families import processor_of


def test_a_shape_that_a_processor_does_not_take_is_told_and_blames_no_template(tmp_path):
    processor = processor_of(save_qwen2_vl(tmp_path))
    told = "m: its image processor does not take a picture of 1 x 60,000 pixels"
    with pytest.raises(CorruptImage, match=told):
        Picture(processor, Image.new("RGB", (1, 60_000)), "m").asked("what is it?")
    assert Picture(processor, Image.new("RGB", (60, 60)), "m").asked("what is it?")
