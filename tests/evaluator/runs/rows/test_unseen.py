"""A run scores nothing in silence that its model was trained on."""

import shutil
from dataclasses import replace

import pytest
from PIL import Image
from structlog.testing import capture_logs

from evaluator.runs.rows.choices import SplitChoice
from evaluator.runs.rows.selection import select_pairs
from evaluator.runs.rows.trained_on import TrainedOn
from evaluator.runs.rows.unseen import unseen_pairs
from shared.corpus import write_pairs
from shared.dataset.training_images import (
    TRAINING_IMAGES,
    TrainingImages,
    read_training_images,
    together,
    write_training_images,
)
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder, image_source
from shared.vqa.trained_on import KnownTraining, known_training
from tests.pictures import draw_gallery

TRAINED = {f"{number:03}.png" for number in range(12)}
VALIDATED = {"012.png", "013.png"}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Twenty pictures, and the pairs about them without a split."""
    folder = tmp_path_factory.mktemp("gallery")
    return folder, draw_gallery(folder, 20)


@pytest.fixture(scope="module")
def known(gallery, tmp_path_factory):
    """What an adapter says that was trained on twelve of them, after a way over the disk."""
    folder, _ = gallery
    beside = tmp_path_factory.mktemp("adapter")
    write_training_images(images_of(folder), beside)
    return KnownTraining(read_training_images(beside))


def images_of(folder):
    prints = fingerprints(ImageFolder(folder), TRAINED | VALIDATED)
    return TrainingImages(
        [prints[name] for name in sorted(TRAINED)],
        [prints[name] for name in sorted(VALIDATED)],
        sources=[{"pairs_sha256": "0" * 64}],
    )


def asked(tmp_path, pairs, folder, known, split=SplitChoice.AUTO, **options):
    path = tmp_path / "pairs.jsonl"
    write_pairs(pairs, path)
    choices = {"trained_on": TrainedOn.LEFT_OUT, "limit": None, "name": path.name} | options
    selection = select_pairs(path, split, images=str(folder))
    return unseen_pairs(selection, known, image_source(str(folder)), **choices)


def scored(selection):
    return {pair.filename for pair in selection.pairs}


@pytest.mark.parametrize("split", [SplitChoice.AUTO, SplitChoice.ALL])
def test_the_same_file_is_scored_without_what_was_trained_on(
    tmp_path, gallery, known, split, capfd
):
    folder, pairs = gallery
    selection = asked(tmp_path, pairs, folder, known, split)
    assert scored(selection) == {pair.filename for pair in pairs} - TRAINED
    assert selection.trained_on.images == 12
    assert selection.trained_on.rows == 24
    assert selection.trained_on.chosen_by == 2


def copy_renamed(folder, target):
    for path in folder.iterdir():
        shutil.copy(path, target / f"other-{path.name}")
    return lambda name: f"other-{name}"


def copy_encoded_anew(folder, target):
    for path in folder.iterdir():
        with Image.open(path) as picture:
            larger = picture.convert("RGB").resize((240, 240), Image.Resampling.BICUBIC)
            larger.save(target / f"{path.stem}.jpg", quality=85)
    return lambda name: name.replace(".png", ".jpg")


def copy_of_poor_quality(folder, target):
    for path in folder.iterdir():
        with Image.open(path) as picture:
            larger = picture.convert("RGB").resize((400, 400), Image.Resampling.BILINEAR)
            larger.save(target / f"{path.stem}.jpg", quality=60)
    return lambda name: name.replace(".png", ".jpg")


def copy_in_a_folder(folder, target):
    shutil.copytree(folder, target / "shop" / "images")
    return lambda name: f"shop/images/{name}"


def copy_turned(folder, target):
    """The same pictures as a camera writes them: on their side, with a note to turn them."""
    for path in folder.iterdir():
        with Image.open(path) as picture:
            exif = Image.Exif()
            exif[0x0112] = 8
            turned = picture.convert("RGB").resize((240, 240)).transpose(Image.Transpose.ROTATE_270)
            turned.save(target / f"{path.stem}.jpg", quality=95, exif=exif)
    return lambda name: name.replace(".png", ".jpg")


@pytest.mark.parametrize(
    "copy", [copy_renamed, copy_encoded_anew, copy_of_poor_quality, copy_in_a_folder, copy_turned]
)
def test_it_holds_whatever_file_the_rows_come_from(tmp_path, gallery, known, copy):
    folder, pairs = gallery
    target = tmp_path / "elsewhere"
    target.mkdir()
    renamed = copy(folder, target)
    moved = [replace(pair, filename=renamed(pair.filename)) for pair in pairs]
    left = scored(asked(tmp_path, moved, target, known))
    assert left == {renamed(pair.filename) for pair in pairs} - {renamed(n) for n in TRAINED}


def test_a_foreign_split_that_leaks_is_scored_without_its_leaks(tmp_path, gallery, known):
    folder, pairs = gallery
    splits = ["train", "test"]
    foreign = [replace(pair, split=splits[row // 2 % 2]) for row, pair in enumerate(pairs)]
    selection = asked(tmp_path, foreign, folder, known)
    assert scored(selection) == {"013.png", "015.png", "017.png", "019.png"}
    assert selection.trained_on.of_images == 10


def test_another_view_of_a_product_that_was_trained_on_is_left_out(tmp_path, gallery, known):
    folder, pairs = gallery
    views = {"011.png": "P", "017.png": "P", "018.png": "Q", "019.png": "Q"}
    named = [
        replace(
            pair,
            product=views.get(pair.filename, ""),
            split="train" if pair.filename in TRAINED else "test",
        )
        for pair in pairs
    ]
    selection = asked(tmp_path, named, folder, known)
    assert scored(selection) == {pair.filename for pair in pairs} - TRAINED - {"017.png"}
    assert len({pair.unit_id for pair in selection.pairs if pair.product == "Q"}) == 1


def test_consent_scores_all_and_marks_every_row(tmp_path, gallery, known):
    folder, pairs = gallery
    selection = asked(tmp_path, pairs, folder, known, trained_on=TrainedOn.INCLUDED)
    assert len(selection.pairs) == len(pairs)
    assert {pair.filename for pair in selection.pairs if pair.trained_on} == TRAINED
    assert selection.trained_on.became == "included"


def test_nothing_left_is_bad_input_with_the_way_out(tmp_path, gallery, known):
    folder, pairs = gallery
    trained = [pair for pair in pairs if pair.filename in TRAINED]
    with pytest.raises(InputError, match=r"all of the 12 images.*or --include-trained-on"):
        asked(tmp_path, trained, folder, known)


def test_a_limit_counts_what_is_left(tmp_path, gallery, known):
    folder, pairs = gallery
    selection = asked(tmp_path, pairs, folder, known, limit=3)
    assert scored(selection) == {"012.png", "013.png", "014.png"}


def test_where_nothing_is_known_all_is_scored_by_unit(tmp_path, gallery):
    folder, pairs = gallery
    selection = asked(tmp_path, pairs, folder, KnownTraining(None))
    assert len(selection.pairs) == len(pairs)
    assert selection.trained_on is None
    assert all(pair.unit_id for pair in selection.pairs)


def test_what_only_the_base_was_pretrained_on_is_scored_marked_and_told(tmp_path, gallery):
    folder, pairs = gallery
    prints = fingerprints(ImageFolder(folder), TRAINED)
    base = KnownTraining(TrainingImages(pretrained_on=list(prints.values())))
    with capture_logs() as logs:
        selection = asked(tmp_path, pairs, folder, base)
    assert [pair.id for pair in selection.pairs] == [pair.id for pair in pairs]
    assert {pair.filename for pair in selection.pairs if pair.pretrained_on} == TRAINED
    assert not any(pair.trained_on for pair in selection.pairs)
    counts = selection.trained_on
    assert (counts.images, counts.pretrained_on, counts.scored) == (0, 12, 20)
    assert "images_pretrained_on" in {log["event"] for log in logs}
    some = asked(tmp_path, pairs, folder, base, limit=3)
    assert (some.trained_on.pretrained_on, some.trained_on.scored) == (3, 3)
    assert some.trained_on.asked_sha256 == counts.asked_sha256


def test_an_adapter_on_a_pretrained_base_loses_its_own_images_alone(tmp_path, gallery):
    folder, pairs = gallery
    prints = fingerprints(ImageFolder(folder), [pair.filename for pair in pairs])
    own = [prints[f"{number:03}.png"] for number in range(5)]
    both = TrainingImages(trained_on=own, pretrained_on=list(prints.values()))
    selection = asked(tmp_path, pairs, folder, KnownTraining(both))
    assert scored(selection) == {f"{number:03}.png" for number in range(5, 20)}
    assert selection.trained_on.pretrained_on == 15


def test_the_shipped_model_knows_what_it_was_pretrained_on():
    images = known_training("blip-vqa-tiny").images
    assert len(images.pretrained_on) > 6_000
    assert not images.trained_on


def test_an_adapter_that_says_nothing_is_named(tmp_path, tiny_model, tiny_adapter):
    assert known_training(str(tiny_model), [tiny_adapter]) == KnownTraining(None, (tiny_adapter,))


def test_the_images_of_several_adapters_are_put_together(gallery, tmp_path):
    folder, _ = gallery
    prints = fingerprints(ImageFolder(folder), ["000.png", "001.png"])
    parts = [TrainingImages([known]) for known in prints.values()]
    for number, part in enumerate(parts):
        (tmp_path / str(number)).mkdir()
        write_training_images(part, tmp_path / str(number))
    read = [read_training_images(tmp_path / name) for name in ("0", "1")]
    assert {known.digest for known in together(read).trained_on} == {
        known.digest for known in prints.values()
    }


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / TRAINING_IMAGES).write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match="does not tell which images were trained on"):
        read_training_images(tmp_path)
