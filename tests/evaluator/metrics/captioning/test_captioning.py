"""BLEU, ROUGE-L, METEOR and CIDEr against the tools used plainly and against worked examples."""

import math
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.metrics.captioning.bleu_1_nltk import nltk_bleu_1
from evaluator.metrics.captioning.bleu_4_sacre import sacre_bleu
from evaluator.metrics.captioning.bleu_counts import bleu, bleu_statistics
from evaluator.metrics.captioning.cider import cider
from evaluator.metrics.captioning.meteor import meteor, meteor_statistics
from evaluator.metrics.captioning.meteor_nltk import nltk_meteor
from evaluator.metrics.captioning.rouge_l import rouge_l
from evaluator.metrics.captioning.rouge_l_f1 import rouge_l_f1
from evaluator.metrics.captioning.rouge_l_stem import rouge_l_stem
from evaluator.metrics.captioning.spice import spice
from evaluator.metrics.tools import ToolMissing
from shared.questions.answers import spaced

NOT_THERE = "the extra `captioning` is not installed"
coco_bleu = pytest.importorskip("pycocoevalcap.bleu.bleu", reason=NOT_THERE)
coco_cider = pytest.importorskip("pycocoevalcap.cider.cider", reason=NOT_THERE)
coco_meteor = pytest.importorskip("pycocoevalcap.meteor.meteor", reason=NOT_THERE)
coco_rouge = pytest.importorskip("pycocoevalcap.rouge.rouge", reason=NOT_THERE)
google_rouge = pytest.importorskip("rouge_score.rouge_scorer", reason=NOT_THERE)
sacrebleu = pytest.importorskip("sacrebleu", reason=NOT_THERE)

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")

ANSWERS = st.lists(
    st.sampled_from(["red", "Red.", "shoe", "shoes", "a", "the", "two", "2", "boot"]), max_size=6
).map(" ".join)
REFERENCES = st.lists(ANSWERS.filter(bool), min_size=1, max_size=3).map(tuple)
ROWS = st.lists(st.tuples(ANSWERS, REFERENCES), min_size=1, max_size=12)


def columns(rows):
    return [answer for answer, _ in rows], [several for _, several in rows]


def as_coco(rows):
    wanted = {
        place: [spaced(reference) for reference in several]
        for place, (_, several) in enumerate(rows)
    }
    return wanted, {place: [spaced(answer)] for place, (answer, _) in enumerate(rows)}


@settings(max_examples=30)
@given(ROWS)
def test_bleu_of_a_set_and_of_each_row_equals_pycocoevalcap(rows):
    corpus, each = coco_bleu.Bleu(4).compute_score(*as_coco(rows), verbose=0)
    statistics = bleu_statistics(*columns(rows))
    for order in (1, 2, 3, 4):
        whole = bleu(statistics.sum(axis=0, keepdims=True), order)
        assert whole == pytest.approx([corpus[order - 1]], rel=1e-9, abs=1e-15)
        assert bleu(statistics, order) == pytest.approx(each[order - 1], rel=1e-9, abs=1e-15)


@settings(max_examples=30)
@given(ROWS)
def test_bleu_4_with_smoothing_equals_sacrebleu(rows):
    answers, several = columns(rows)
    most = max(len(reference) for reference in several)
    # sacrebleu wants a list for each place of a reference, with None where a row has fewer.
    streams = [
        [spaced(reference[place]) if place < len(reference) else None for reference in several]
        for place in range(most)
    ]
    expected = sacrebleu.corpus_bleu([spaced(a) for a in answers], streams, tokenize="none").score
    counts = bleu_statistics(answers, several).sum(axis=0, keepdims=True)
    assert sacre_bleu(counts) == pytest.approx([expected / 100], abs=1e-9)


@settings(max_examples=30)
@given(ROWS)
def test_rouge_equals_pycocoevalcap_and_rouge_score(rows):
    _, each = coco_rouge.Rouge().compute_score(*as_coco(rows))
    assert rouge_l(*columns(rows)) == pytest.approx(each)
    for stemmer, ours in ((False, rouge_l_f1), (True, rouge_l_stem)):
        scorer = google_rouge.RougeScorer(["rougeL"], use_stemmer=stemmer)
        expected = [
            scorer.score_multi([spaced(reference) for reference in several], spaced(answer))[
                "rougeL"
            ].fmeasure
            for answer, several in rows
        ]
        assert ours(*columns(rows)) == pytest.approx(expected)


@settings(max_examples=30)
@given(ROWS)
def test_cider_equals_pycocoevalcap_over_the_whole_set(rows):
    corpus, each = coco_cider.Cider().compute_score(*as_coco(rows))
    scores = cider(*columns(rows))
    assert scores == pytest.approx(each)
    assert scores.mean() == pytest.approx(corpus)


def test_cider_of_two_halves_is_not_that_of_the_whole():
    rows = [("red", ("red",)), ("shoe", ("shoe",)), ("red", ("red",)), ("a boot", ("a red boot",))]
    halves = [cider(*columns(rows[:2])), cider(*columns(rows[2:]))]
    assert np.concatenate(halves) != pytest.approx(cider(*columns(rows)))


def plain_cider(answers, references):
    """One reference, words only as every answer here has one: tf-idf cosine times 10 / 4."""
    seen = Counter(reference for reference in references)
    rare = {word: math.log(len(references)) - math.log(count) for word, count in seen.items()}
    return [2.5 * (a == r) * (rare[r] > 0) for a, r in zip(answers, references, strict=True)]


def test_cider_of_one_word_is_a_quarter_of_ten_where_it_says_something():
    answers = ["red", "blue", "red", "shoe"]
    references = ["red", "red", "red", "shoe"]
    several = [(reference,) for reference in references]
    assert cider(answers, several) == pytest.approx(plain_cider(answers, references))
    # An answer that every row has tells nothing apart.
    assert cider(["red", "red"], [("red",), ("red",)]) == pytest.approx([0, 0])


def test_bleu_of_the_paper_clips_repeated_words():
    # Papineni et al. 2002, section 2.1: seven times "the" against a reference that has two.
    statistics = bleu_statistics(
        ["the the the the the the the"],
        [("The cat is on the mat.", "There is a cat on the mat.")],
    )
    assert bleu(statistics, 1) == pytest.approx([2 / 7])
    # Its first two candidates: 17 of 18 words match, and 8 of 14.
    good = (
        "It is a guide to action which ensures that the military always obeys the commands of the "
        "party"
    )
    poor = "It is to insure the troops forever hearing the activity guidebook that party direct"
    guide = (
        "It is a guide to action that ensures that the military will forever heed Party commands"
    )
    principle = (
        "It is the guiding principle which guarantees the military forces always being under the "
        "command of the Party"
    )
    army = "It is the practical guide for the army always to heed the directions of the party"
    statistics = bleu_statistics([good, poor], [(guide, principle, army)] * 2)
    assert statistics[:, [0, 4]].tolist() == [[17, 18], [8, 14]]


def test_rouge_l_of_the_paper():
    # Lin 2004, section 3: "police kill the gunman" and "the gunman kill police" against
    # "police killed the gunman"; F1 there is 3/4 and 1/2.
    answers = ["police kill the gunman", "the gunman kill police"]
    several = [("police killed the gunman",)] * 2
    assert rouge_l_f1(answers, several) == pytest.approx([3 / 4, 2 / 4])
    # Where precision equals recall beta changes nothing.
    assert rouge_l(answers, several) == pytest.approx([3 / 4, 2 / 4])
    # P = 1, R = 1/2: (1 + 1.44) PR / (R + 1.44 P)
    assert rouge_l(["red"], [("red shoe",)]) == pytest.approx([2.44 * 0.5 / (0.5 + 1.44)])
    assert rouge_l_f1(["red"], [("red shoe",)]) == pytest.approx([2 / 3])


def test_on_one_word_the_variants_differ_as_documented():
    assert rouge_l_f1(["shoes"], [("shoe",)]).tolist() == [0]
    assert rouge_l_stem(["shoes"], [("shoe",)]).tolist() == [1]
    assert nltk_bleu_1(["red", "blue", ""], [("red",)] * 3) == pytest.approx([1, 0, 0])
    counts = bleu_statistics(["red", "blue", ""], [("red",)] * 3)
    assert bleu(counts, 1) == pytest.approx([1, 0, 0], abs=1e-8)


@needs_java
@pytest.mark.slow
# pycocoevalcap ends its jar without closing the pipes.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_meteor_of_sets_and_rows_equals_the_jar():
    random = np.random.default_rng(0)
    words = np.array(
        [
            "red",
            "shoes",
            "shoe",
            "the",
            "a",
            "of",
            "boot",
            "boots",
            "couch",
            "sofa",
            "run",
            "yes",
            "2",
        ]
    )

    def text(least: int) -> str:
        return " ".join(random.choice(words, random.integers(least, 6)))

    several = [tuple(text(1) for _ in range(random.integers(1, 4))) for _ in range(60)]
    answers = [text(0) if place % 3 else references[0] for place, references in enumerate(several)]
    rows = list(zip(answers, several, strict=True))
    jar = coco_meteor.Meteor()
    statistics = meteor_statistics(answers, several)
    for part in (slice(0, 3), slice(3, 20), slice(0, 60)):
        corpus, each = jar.compute_score(*as_coco(rows[part]))
        whole = meteor(statistics[part].sum(axis=0, keepdims=True))
        assert whole == pytest.approx([corpus], abs=1e-12)
        assert meteor(statistics[part]) == pytest.approx(each, abs=1e-12)


def test_meteor_without_java_names_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"needs Java .* on the PATH; install a JRE"):
        meteor_statistics(["red"], [("red",)])


def test_meteor_by_formula():
    # Denkowski and Lavie 2014: "red" against "red" is perfect; the statistics are the jar's.
    equal = [1, 1, 0, 0, 1, 1, 0, 0, *[0] * 12, 0, 1, 1]
    other = [1, 1, 0, 0, *[0] * 19]
    assert meteor(np.array([equal, other, np.add(equal, other)], dtype=float)) == pytest.approx(
        [1, 0, 0.5]
    )
    # "a red shoe with laces", "the red boot with laces": content 3 of 5 words each side, two of
    # them and one function word match exactly, a paraphrase of each kind weighs 0.6; two pieces.
    row = [5, 5, 2, 2, 1, 1, 1, 1, *[0] * 8, 1, 1, 1, 1, 2, 4, 4]
    share = (1 + 0.6) * (0.75 + 0.25) / (0.75 * 3 + 0.25 * 2)
    assert meteor(np.array([row], dtype=float)) == pytest.approx(
        [share * (1 - 0.6 * (2 / 4) ** 0.2)]
    )


@pytest.mark.parametrize(
    ("metric", "way_out"),
    [(nltk_meteor, "python -m nltk.downloader wordnet"), (spice, "get_stanford_models()")],
)
def test_what_is_not_fetched_is_refused_with_the_command_that_fetches_it(
    metric, way_out, monkeypatch, tmp_path
):
    # As on a machine that has neither WordNet nor SPICE's parser.
    monkeypatch.setattr("nltk.data.path", [str(tmp_path)])
    monkeypatch.setattr(
        "evaluator.metrics.captioning.spice.PARSER", ("a-parser-that-is-not-there.jar",)
    )
    with pytest.raises(ToolMissing, match=re.escape(way_out)):
        metric(["red"], [("red",)])


@settings(max_examples=20)
@given(ROWS, st.data())
def test_counts_of_shards_add_up_to_those_of_the_set(rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    parts = [bleu_statistics(*columns(part)).sum(axis=0) for part in (rows[:cut], rows[cut:])]
    whole = bleu_statistics(*columns(rows)).sum(axis=0)
    assert sum(parts).tolist() == whole.tolist()
