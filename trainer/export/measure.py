"""Answers questions with one model in a process of its own, and says what that took.

Run as ``python -m trainer.export.measure KIND PLACE QUESTIONS THREADS``: a line of JSON for its
start, one for each image, and one with the peak memory. Of a bundle no torch is loaded, as on a
device.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from shared.errors import AboVqaError
from shared.images.decoding import open_image
from shared.program.clock import processor_stopwatch, stopwatch
from shared.program.process.peak_memory import peak_bytes
from shared.program.reporting.progress import report_progress

MIB: Final = 2**20


class Kind(StrEnum):
    """What answers: a model that transformers loads, whole or in 4 bits, or a bundle."""

    MODEL = "model"
    NF4 = "nf4"
    BUNDLE = "bundle"


class NotMeasured(AboVqaError):
    """The process that measures a model failed."""


@dataclass(frozen=True, slots=True)
class ImageQuestions:
    """An image file and what is asked about it."""

    image: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """Answers in the order asked, and what they took.

    Times are medians: encoding an image, and then answering one question about it, alone. The
    peak memory is that of the whole process, the interpreter and its libraries included. The start
    is what it takes to import and load all, and to answer once; ``each_ms`` has, for every
    question, encoding its image and answering it, and
    ``each_cpu_ms`` what processors spent on that.
    """

    answers: tuple[str, ...]
    encode_ms: float
    answer_ms: float
    peak_mib: float
    start_s: float = 0.0
    each_ms: tuple[float, ...] = ()
    each_cpu_ms: tuple[float, ...] = ()


def measure(
    kind: Kind, place: str, asked: Sequence[ImageQuestions], threads: int, description: str
) -> Measurement:
    """Start a process that answers, and wait for it; ``place`` is a folder or a hub id.

    Raises:
        NotMeasured: it failed.
    """
    with TemporaryDirectory() as scratch:
        questions, errors = Path(scratch, "questions.json"), Path(scratch, "errors.txt")
        questions.write_text(
            json.dumps([[image.image, list(image.questions)] for image in asked]), encoding="utf-8"
        )
        words = ["-m", "trainer.export.measure", kind, place, questions, threads]
        with (
            errors.open("w", encoding="utf-8") as stderr,
            subprocess.Popen(  # noqa: S603 (this interpreter and this module)
                [sys.executable, *map(str, words)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
            report_progress(description, len(asked)) as progress,
        ):
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                if "answers" in lines[-1]:
                    progress.advance()
        if process.returncode:
            last = deque(errors.read_text(encoding="utf-8").splitlines(), maxlen=1)
            reason = last[0] if last else f"exit code {process.returncode}"
            raise NotMeasured(f"{description}: cannot be measured ({reason})")
    return _summed_up(lines)


def _summed_up(lines: Sequence[dict[str, Any]]) -> Measurement:
    start, *images, end = lines
    return Measurement(
        answers=tuple(answer for image in images for answer in image["answers"]),
        encode_ms=median(image["encode_ms"] for image in images),
        answer_ms=median(took for image in images for took in image["answer_ms"]),
        peak_mib=end["peak_mib"],
        start_s=start["start_s"],
        each_ms=tuple(image["encode_ms"] + took for image in images for took in image["answer_ms"]),
        each_cpu_ms=tuple(took for image in images for took in image["each_cpu_ms"]),
    )


def _measured(
    load: Callable[[], Any],  # a bundle or a network; both remember and answer
    asked: Sequence[tuple[str, Sequence[str]]],
) -> Iterator[dict[str, Any]]:
    started = stopwatch()
    answerer = load()
    first_image, first_questions = asked[0]
    # The first time through, libraries set themselves up.
    seen = answerer.remember([answerer.prepare(open_image(Path(first_image)))])
    answerer.answer(seen, [0], first_questions[:1])
    yield {"start_s": stopwatch() - started}
    for image, questions in asked:
        pixels = answerer.prepare(open_image(Path(image)))
        started, computed = stopwatch(), processor_stopwatch()
        seen = answerer.remember([pixels])
        encode_ms = 1e3 * (stopwatch() - started)
        encode_cpu_ms = 1e3 * (processor_stopwatch() - computed)
        answers, answer_ms, answer_cpu_ms = [], [], []
        for question in questions:
            started, computed = stopwatch(), processor_stopwatch()
            [answer] = answerer.answer(seen, [0], [question])
            answer_ms.append(1e3 * (stopwatch() - started))
            answer_cpu_ms.append(1e3 * (processor_stopwatch() - computed))
            answers.append(answer.text)
        each_cpu_ms = [encode_cpu_ms + one for one in answer_cpu_ms]
        yield {
            "answers": answers,
            "encode_ms": encode_ms,
            "answer_ms": answer_ms,
            "each_cpu_ms": each_cpu_ms,
        }
    yield {"peak_mib": peak_bytes() / MIB}


def _load(kind: Kind, place: str, threads: int) -> Any:  # noqa: ANN401 (see _measured)
    # Imported here, so that each kind's memory is that of its own libraries.
    if kind is Kind.BUNDLE:
        from shared.onnx_vqa.runtime import OnnxVqa  # noqa: PLC0415

        return OnnxVqa(place, threads)
    import torch  # noqa: PLC0415

    from shared.vqa.families import load_answerer  # noqa: PLC0415
    from shared.vqa.quantization import Quantization  # noqa: PLC0415

    torch.set_num_threads(threads)
    held = Quantization.NF4 if kind is Kind.NF4 else Quantization.NONE
    return load_answerer(place, quantization=held, device=torch.device("cpu"))


def _main(kind: str, place: str, questions: str, threads: str) -> None:
    asked = json.loads(Path(questions).read_text(encoding="utf-8"))
    for line in _measured(lambda: _load(Kind(kind), place, int(threads)), asked):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
