"""What a model and its bundle answer to questions that alternate between images."""

from shared.onnx_vqa.runtime import OnnxVqa
from shared.vqa.blip.inference import answer_questions, remember_images
from tests.models import load_float


def answers_of_model(folder, images, asked):
    model = load_float(folder)
    memory = remember_images(model, images)
    return answer_questions(model, memory, [at for at, _ in asked], [text for _, text in asked])


def answers_of_bundle(folder, images, asked):
    model = OnnxVqa(folder, threads=1)
    seen = model.remember([model.prepare(image) for image in images])
    return model.answer(seen, [at for at, _ in asked], [text for _, text in asked])
