"""A model's own processor, asked by its own chat template; pixels are computed once a picture.

What a question is turned into is always what the processor itself returns for it. A picture's part
of that is kept, and given again for its next question.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import threading
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    BatchFeature,
    PretrainedConfig,
    ProcessorMixin,
)

from shared.errors import CorruptImage, InputError
from shared.images.decoding import is_large
from shared.vqa.chat.abilities import has_picture_tokens
from shared.vqa.chat.features import is_of_pixels
from shared.vqa.names.model_names import hub_errors, quiet_transformers, resolve_model

_CHAT_BACKEND: Final = "torchvision"
_OTHER_BACKEND: Final = "pil"
"""Named, so that no answer depends on what is installed. That of models with picture tokens is
transformers' own choice; their processor may need torchvision in any case, for a video part."""
GIVE_ITS_PLACE: Final = "give the picture's place in --prompt, such as '<image>{question}'"
_ONE_TEXT_AT_A_TIME: Final = threading.Lock()
"""All pictures share a tokenizer, which threads must not; pixels are computed without the lock."""
_STRIP_ROWS: Final = 256
_STAND_IN_PX: Final = 64
_WAY_OUT: Final = "install what chat models need: pip install 'abo-vqa[model]'"


class _PixelsOnce:
    """Stands in the place of an image processor, for one picture."""

    def __init__(self, own: Any) -> None:  # noqa: ANN401 (each model has its own class)
        self._own = own
        self._features: BatchFeature | None = None
        self.refused: Exception | None = None

    def __call__(self, *args: object, **kwargs: object) -> BatchFeature:
        if self._features is None:
            _ONE_TEXT_AT_A_TIME.release()
            try:
                self._features = self._own(
                    *map(_with_few_copies, args),
                    **{name: _with_few_copies(value) for name, value in kwargs.items()},
                )
            except Exception as error:
                self.refused = error
                raise
            finally:
                _ONE_TEXT_AT_A_TIME.acquire()
        # The processor may take away from it what the network does not want.
        return copy.copy(self._features)

    def drop(self) -> None:
        """Keep the shapes of large tensors alone, from which the processor counts tokens."""
        features = {} if self._features is None else self._features
        for name, value in features.items():
            if is_of_pixels(name, value):
                features[name] = value.new_zeros(()).expand(value.shape)

    def __getattr__(self, name: str) -> object:
        return getattr(self._own, name)


def _with_few_copies(images: object) -> object:
    """Return images, which may be lists of lists, with large ones as tensors ``(C, H, W)``.

    A processor makes the same of one, in three copies on the way.
    """
    if isinstance(images, list | tuple):
        return [_with_few_copies(image) for image in images]
    if not isinstance(images, Image.Image) or not is_large(images) or images.mode != "RGB":
        return images
    pixels_CHW = torch.empty((3, images.height, images.width), dtype=torch.uint8)
    for top in range(0, images.height, _STRIP_ROWS):
        strip_HWC = np.array(images.crop((0, top, images.width, top + _STRIP_ROWS)))
        rows = pixels_CHW[:, top : top + _STRIP_ROWS]
        rows.copy_(torch.from_numpy(strip_HWC[: rows.shape[1]]).permute(2, 0, 1))
    return pixels_CHW


class Picture:
    """A picture, and what the processor makes of questions about it."""

    def __init__(self, processor: ProcessorMixin, image: Image.Image, name: str) -> None:
        self._image, self.name = image, name
        self._processor, self._plain = copy.copy(processor), processor
        self._keeps_pixels = False
        self._renew()

    def _renew(self) -> None:
        self._pixels = _PixelsOnce(self._plain.image_processor)
        self._processor.image_processor = self._pixels
        self._dropped = False

    def asked(self, text: str) -> dict[str, Any]:
        """Return all that the processor returns for a question, within its instruction.

        Raises:
            CorruptImage: the processor does not take the picture.
            InputError: the chat template or the processor does not take the question.
        """
        if self._dropped:
            self._renew()
        return dict(self._encoded(text))

    def tokens(self, text: str) -> list[int]:
        """Return the tokens of the picture with a question.

        Raises:
            InputError: as ``asked``.
        """
        ids: list[int] = self._encoded(text)["input_ids"][0].tolist()
        return ids

    def let_go(self, text: str) -> None:
        """Compute the pixels now, with any question, and hold the picture itself no longer.

        Raises:
            InputError: as ``asked``.
        """
        self.asked(text)
        self._keeps_pixels = True
        # Whatever a processor counts, it counts by the pixels.
        self._image = Image.new("RGB", (_STAND_IN_PX, _STAND_IN_PX))

    def drop_pixels(self) -> None:
        """Forget the pixels, which ``asked`` computes again if it has to, where it can."""
        if self._keeps_pixels:
            return
        self._pixels.drop()
        self._dropped = True

    def _encoded(self, text: str) -> BatchFeature:
        with _ONE_TEXT_AT_A_TIME:
            return self._asked_of_processor(text)

    def _asked_of_processor(self, text: str) -> BatchFeature:
        if getattr(self._processor, "chat_template", None):
            return self._by_template(text)
        try:
            return self._processor(images=self._image, text=text, return_tensors="pt")
        except ValueError as error:
            self._require_pixels(error)
            raise InputError(
                f"{self.name}: has no chat template, and its processor does not take {text!r} "
                f"({error}); {GIVE_ITS_PLACE}"
            ) from error

    def _by_template(self, text: str) -> BatchFeature:
        content = [{"type": "image", "image": self._image}, {"type": "text", "text": text}]
        try:
            return self._processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                **quick_answer(self._processor.chat_template),
            )
        except Exception as error:
            self._require_pixels(error)
            # A template is a program, and raises what it likes.
            raise InputError(
                f"{self.name}: its chat template cannot be used with an image and a question "
                f"({error}); mend chat_template.jinja, or remove it and give --prompt"
            ) from error

    def _require_pixels(self, error: Exception) -> None:
        if error is self._pixels.refused:
            size = f"{self._image.width:,} x {self._image.height:,}"
            raise CorruptImage(
                f"{self.name}: its image processor does not take a picture of {size} pixels "
                f"({error}); leave that picture out, or crop it"
            ) from error


def picture_marks(processor: ProcessorMixin, config: PretrainedConfig) -> frozenset[str]:
    """Return the words that stand for a picture or for a part of it, in a prompt of this model.

    In a question they would be read as one more picture, which is not there. Data sets of chats
    write ``<image>`` themselves where a picture stands, whatever the model.
    """
    kept = vars(processor).items()
    own = {text for name, text in kept if name.endswith("_token") and isinstance(text, str)}
    placed = processor.tokenizer.convert_ids_to_tokens(config.image_token_id)
    return frozenset(own | {"<image>", str(placed)})


def quick_answer(template: object) -> dict[str, bool]:
    """Switch thinking off where a template knows of it: others would hand the word on."""
    return {"enable_thinking": False} if "enable_thinking" in str(template) else {}


def open_processor(model: str, config: PretrainedConfig) -> ProcessorMixin:
    """Return the processor of a model with this configuration.

    Raises:
        InputError: there is none, or it needs torchvision, which is not there.
    """
    source = resolve_model(model)
    with quiet_transformers(), hub_errors(model):
        try:
            processor: ProcessorMixin = AutoProcessor.from_pretrained(
                source, trust_remote_code=False
            )
        except ImportError as error:
            reason = str(error).strip().splitlines()[0]
            raise InputError(f"{model}: its processor needs more ({reason}); {_WAY_OUT}") from error
        chats = has_picture_tokens(config)
        if chats and importlib.util.find_spec("torchvision") is None:
            raise InputError(f"{model}: its processor needs torchvision; {_WAY_OUT}")
        backend = _CHAT_BACKEND if chats else _OTHER_BACKEND
        processor.image_processor = AutoImageProcessor.from_pretrained(
            source, backend=backend, trust_remote_code=False
        )
    if not getattr(processor, "chat_template", None):
        # PaliGemma's says of every question that it had to find the picture's place.
        logging.getLogger(type(processor).__module__).setLevel(logging.ERROR)
    return processor
