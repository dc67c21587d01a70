"""Questions per CPU second of chat models: our replica against the loop of the harnesses.

The loop opens the picture of every row, asks by the model's chat template in the same instruction,
and calls ``generate``: with one question at a time, and with eight, padded on the left. Weights are
random and in float32; sizes are those of SmolVLM2-256M, and of a Qwen3-VL with the same language
model. SmolVLM2 cuts a picture into 17 tiles by default, which takes a minute on two cores; here it
reads one tile of 512 pixels, so that the share of what cannot be read once is the largest.

The ceiling is the rate of the passes alone, one after the other on inputs that are ready: tower and
projector, prefix, questions, decoding.

Random weights seldom end an answer: all of it takes as many steps of decoding as are allowed. That
is done with ten, the default, and with three, what an answer takes that ends: of ABO's 39,730, 95
percent have one or two tokens, and then the end (cl100k_base, 1.41 on average; a vocabulary of
65,000 tokens, 1.35; counted on 30 November 2026).

Ours answers sixty questions together, as many as fit into a batch of a run; the ceiling's passes
have as many rows.

Memory is the most that a process of its own held, by either loop and by ours, with sixty questions
and, as ``--batch-size 20`` has it, with twenty. Ours holds the keys and values of all pictures of
its batch at once, with room for their questions: 20 MB a picture here. The loop holds as many
pictures in its tower as stand in a batch.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

import torch
from PIL import Image
from transformers import (
    GPT2TokenizerFast,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.images.decoding import open_image
from shared.records import Question
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.features import image_features, on_device
from shared.vqa.chat.keeping.cache import Shelf
from shared.vqa.chat.keeping.decoding import Prefixes, RowDecoder, RowQuestion
from shared.vqa.chat.processor import open_processor
from shared.vqa.chat.reading import read_prefixes
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import Instruction
from shared.vqa.quantization import Quantization
from tests.bench.inference import WORDS, make_pictures
from tests.bench.measure import Comparison
from tests.chat_models.qwen import SIZES_16
from tests.chat_models.qwen import SPECIAL as QWEN
from tests.chat_models.qwen import TEMPLATE as QWEN_TEMPLATE
from tests.chat_models.saving import byte_tokenizer, chat_template
from tests.chat_models.tiled import SPECIAL as SMOL

SIDE: Final = 448
TOKENS: Final = (3, 10)
LOOPS: Final = {1: 5, 8: 8}
"""Rows in a batch of the loop, and how many it is timed with: its rate is the same for all."""
TURNS: Final = 3
"""How often loops, ours and our parts are timed, one after the other: a machine's speed differs by
a quarter within the hour. The turn with the middle ratio counts."""
PICTURES: Final = {5: 12, 10: 6}
"""How many there are, by the questions about each: sixty questions, a batch of a run."""
BATCHES: Final = (60, 20)
"""Questions together, whose memory is taken."""
PROCESSES: Final = 3
PARTS: Final = ("tower", "prefix", "questions and answers")
LANGUAGE: Final = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "vocab_size": 49_280,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
TOWER: Final = {"hidden_size": 768, "intermediate_size": 3072}
CORPUS: Final = (
    *(f"what is the {word} of item {number}" for word in WORDS for number in range(10)),
    "Answer the question using a single word or phrase.",
)


@dataclass(frozen=True)
class _Turn:
    """Seconds a question of the loop, of ours and of our parts, side by side."""

    loop: float
    ours: float
    parts: Mapping[str, float]

    @property
    def ratio(self) -> float:
        return self.loop / self.ours


def bench_smolvlm(folder: Path) -> Iterator[Comparison]:
    """SmolVLM2-256M with 5 and 10 questions a picture, against both loops."""
    return _bench("SmolVLM2-256M", save_smolvlm(folder / "model"), folder)


def bench_qwen3_vl(folder: Path) -> Iterator[Comparison]:
    """A Qwen3-VL of that size with 5 and 10 questions a picture, in the same way."""
    return _bench("Qwen3-VL of its size", save_qwen3_vl(folder / "model"), folder)


def bench_memory(folder: Path) -> Iterator[Comparison]:
    """What a process holds at most, by each loop and by ours: below 1, ours holds less."""
    pictures = make_pictures(folder / "pictures", 12, side=SIDE)
    yield from _memory("SmolVLM2-256M", save_smolvlm(folder / "smolvlm"), pictures)
    yield from _memory("Qwen3-VL of its size", save_qwen3_vl(folder / "qwen"), pictures)


def _bench(name: str, model: Path, folder: Path) -> Iterator[Comparison]:
    pictures = {
        per_picture: make_pictures(folder / f"pictures-{count}", count, side=SIDE)
        for per_picture, count in PICTURES.items()
    }
    for tokens in TOKENS:
        instruction = Instruction(max_new_tokens=tokens)
        answerer = load_answerer(
            str(model), quantization=Quantization.NONE, instruction=instruction
        )
        assert isinstance(answerer, ChatAnswerer)
        turns = [_turn(answerer, pictures) for _ in range(TURNS)]
        for per_picture, batch in product(PICTURES, LOOPS):
            taken = sorted((turn[per_picture, batch] for turn in turns), key=lambda one: one.ratio)
            middle = taken[TURNS // 2]
            yield Comparison(
                f"{name}, {per_picture} questions a picture, {tokens} tokens an answer; "
                f"loop in batches of {batch}",
                "questions a CPU second",
                1 / middle.loop,
                1 / middle.ours,
                middle.parts,
                1,
            )


def _turn(answerer: ChatAnswerer, pictures: Mapping[int, Path]) -> dict[tuple[int, int], _Turn]:
    """Return one of each by the questions about a picture and the rows in a batch of the loop."""
    # Each row takes the loop the same time, however many others are about its picture.
    per_picture, images = next(iter(pictures.items()))
    loops = _loops(answerer, images, questions(images, per_picture))
    turn = {}
    for per_picture, images in pictures.items():
        rows = questions(images, per_picture)
        settings = replica_settings(answerer.model.name, None, "none", images, batch_size=64)
        replica = Replica(settings, answerer=answerer)
        ours = _seconds(partial(replica.answer, rows)) / len(rows)
        parts = _parts(answerer, images, rows)
        turn |= {(per_picture, batch): _Turn(loop, ours, parts) for batch, loop in loops.items()}
    return turn


def _loops(answerer: ChatAnswerer, images: Path, rows: Sequence[Question]) -> dict[int, float]:
    """Return seconds per question of the loop, by the rows in a batch of it."""
    processor = open_processor(answerer.model.name, answerer.model.network.config)
    return {
        batch: _seconds(
            partial(harness_loop, answerer, processor, images, rows[:count], batch),
        )
        / count
        for batch, count in LOOPS.items()
    }


def _seconds(run: Callable[[], object]) -> float:
    """Return the CPU time of all threads: other work on the machine does not change it."""
    started = process_time()
    run()
    return process_time() - started


def questions(images: Path, per_picture: int) -> list[Question]:
    """Return questions about every picture of a folder."""
    return [
        Question(f"{path.name}-{at}", f"what is the {WORDS[at % 6]} of item {at}", path.name)
        for path in sorted(images.iterdir())
        for at in range(per_picture)
    ]


@torch.inference_mode()
def harness_loop(
    answerer: ChatAnswerer,
    processor: ProcessorMixin,
    images: Path,
    rows: Sequence[Question],
    batch: int,
) -> list[str]:
    """Ask row by row, as the harnesses do, each with its picture."""
    model = answerer.model
    processor.tokenizer.padding_side = "left"
    said: list[str] = []
    for first in range(0, len(rows), batch):
        part = rows[first : first + batch]
        messages = [
            _message(open_image(images / row.filename), model.instruction.around(row.text))
            for row in part
        ]
        inputs = processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        given = on_device(model.network, inputs, model.device)
        output = model.network.generate(
            **given, max_new_tokens=model.instruction.longest_answer, do_sample=False
        )
        asked = inputs["input_ids"].shape[1]
        said += processor.tokenizer.batch_decode(output[:, asked:], skip_special_tokens=True)
    return said


def _message(image: Image.Image, text: str) -> list[dict[str, Any]]:
    content = [{"type": "image", "image": image}, {"type": "text", "text": text}]
    return [{"role": "user", "content": content}]


@torch.inference_mode()
def _parts(answerer: ChatAnswerer, images: Path, rows: Sequence[Question]) -> dict[str, float]:
    """Return seconds per question of each part alone, for all pictures together."""
    model, split = answerer.model, answerer._shared.split
    names = list(dict.fromkeys(row.filename for row in rows))
    pictures = [answerer.prepare(open_image(images / name)) for name in names]
    prefixes = [split.prefix(picture) for picture in pictures]
    inputs = [on_device(model.network, prefix.inputs, model.device) for prefix in prefixes]
    asked = []
    for row in rows:
        at = names.index(row.filename)
        ids = pictures[at].tokens(model.instruction.around(row.text))
        asked.append(RowQuestion(at, prefixes[at].question(ids) or (), prefixes[at].ids))
    longest = max(len(prefix.ids) for prefix in prefixes)
    shelf = Shelf.of(model.network, len(names), longest + 64 * (len(rows) // len(names)))
    decoder = RowDecoder(model.network, model.device, 0)
    times = [process_time()]
    features = [image_features(model.network, one) for one in inputs]
    times.append(process_time())
    starts = [
        read_prefixes(model.network, one, shelf.cache(at, at + 1, 0), features[at])[0]
        for at, one in enumerate(inputs)
    ]
    times.append(process_time())
    lengths = tuple(len(prefix.ids) for prefix in prefixes)
    filled = Prefixes(shelf.cache(0, len(names), longest), lengths, tuple(starts))
    decoder.answers(filled, asked, model.instruction.longest_answer)
    times.append(process_time())
    return {
        part: (end - start) / len(rows)
        for part, (start, end) in zip(PARTS, pairwise(times), strict=True)
    }


def _memory(name: str, model: Path, images: Path) -> Iterator[Comparison]:
    """Yield what each loop and ours held at most; the ratio is ours to the loop's.

    One and the same way differs by 1.5 percent from process to process, by where pages happen to be
    free: each is taken three times, by turns, and the middle one counts.
    """
    held: dict[str, list[float]] = {
        way: [] for way in (*map(loop_of, LOOPS), *map(ours_with, BATCHES))
    }
    for _ in range(PROCESSES):
        for way, megabytes in held.items():
            command = [sys.executable, "-m", "tests.bench.chat_memory"]
            ended = subprocess.run(
                [*command, way, str(model), str(images)], capture_output=True, text=True, check=True
            )
            megabytes.append(float(ended.stdout.split()[-1]))
    for batch, together in product(LOOPS, BATCHES):
        what = f"{name}, peak memory with {together} questions; loop in batches of {batch}"
        loop, ours = median(held[loop_of(batch)]), median(held[ours_with(together)])
        yield Comparison(what, "MB", loop, ours)


def loop_of(batch: int) -> str:
    """Return what ``chat_memory`` calls the loop in such batches."""
    return f"loop-of-{batch}"


def ours_with(together: int) -> str:
    """Return what ``chat_memory`` calls ours with so many questions at once."""
    return f"ours-with-{together}"


def save_smolvlm(folder: Path) -> Path:
    """Save a SmolVLM with the sizes of SmolVLM2-256M, random weights and few words."""
    tokenizer = _words(byte_tokenizer(SMOL))
    sizes = {"size": {"longest_edge": 512}, "max_image_size": {"longest_edge": 512}}
    sampling = {"video_size": {"longest_edge": 512}, "max_frames": 2, "fps": 1}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**sizes),
        tokenizer,
        SmolVLMVideoProcessor(**sizes, video_sampling=sampling),
        image_seq_len=64,
        chat_template=chat_template("<image>"),
    )
    tower = {"num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 512}
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **LANGUAGE, **_ends(tokenizer)},
        vision_config={**TOWER, **tower, "patch_size": 16},
        scale_factor=4,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    return _save(SmolVLMForConditionalGeneration, config, processor, folder)


def save_qwen3_vl(folder: Path) -> Path:
    """Save a Qwen3-VL of about the same size."""
    tokenizer = _words(byte_tokenizer(QWEN))
    sizes = {**SIZES_16, "size": {"shortest_edge": 256 * 256, "longest_edge": 1024 * 1024}}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**sizes),
        tokenizer,
        Qwen3VLVideoProcessor(**sizes),
        chat_template=QWEN_TEMPLATE,
    )
    ids = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            **LANGUAGE,
            **_ends(tokenizer),
            "rope_parameters": {"rope_type": "default", "mrope_section": [12, 10, 10]},
        },
        vision_config={
            **TOWER,
            "depth": 12,
            "num_heads": 12,
            "out_hidden_size": LANGUAGE["hidden_size"],
            "num_position_embeddings": 1024,
            "deepstack_visual_indexes": [3, 6, 9],
        },
        image_token_id=ids(QWEN["image_token"]),
        video_token_id=ids(QWEN["video_token"]),
        vision_start_token_id=ids(QWEN["vision_start_token"]),
        vision_end_token_id=ids(QWEN["vision_end_token"]),
        tie_word_embeddings=True,
    )
    return _save(Qwen3VLForConditionalGeneration, config, processor, folder)


def _words(tokenizer: GPT2TokenizerFast) -> GPT2TokenizerFast:
    """Return a tokenizer that knows the questions' words, as a published one does."""
    return tokenizer.train_new_from_iterator([list(CORPUS)] * 20, 1000, show_progress=False)


def _ends(tokenizer: GPT2TokenizerFast) -> dict[str, int]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _save(
    network: type[PreTrainedModel], config: object, processor: ProcessorMixin, folder: Path
) -> Path:
    torch.manual_seed(0)
    network(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
