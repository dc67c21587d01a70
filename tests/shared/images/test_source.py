"""Images from a folder, from memory and over HTTP: the same pixels, the same faults."""

import importlib.util
import shutil
from pathlib import Path

import fsspec
import pytest

from shared.dataset.opening import OpenedData
from shared.errors import CorruptImage, InputError, StoreUnreachable
from shared.images.source import ImageFolder, image_source, require_images
from shared.images.stores import local_data, local_folder
from tests.fakes.file_server import serve_folder
from tests.pictures import draw_gallery

ODD_NAME = "odd name #1 50%.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    draw_gallery(folder, 3)
    shutil.copy(folder / "001.png", folder / ODD_NAME)
    (folder / "cut.png").write_bytes((folder / "001.png").read_bytes()[:60])
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with serve_folder(folder) as server:
        yield server


@pytest.fixture(params=["folder", "memory", "file", "http"])
def location(request, folder, server):
    if request.param == "memory":
        files = fsspec.filesystem("memory")
        for path in folder.iterdir():
            files.pipe_file(f"/images/{path.name}", path.read_bytes())
        return "memory://images"
    return {
        "folder": str(folder),
        "file": f"file://{folder}",
        "http": f"{server.url}/",
    }[request.param]


def test_every_kind_of_place_gives_the_same_pixels(location, folder):
    source, plain = image_source(location), image_source(str(folder))
    for name in ("000.png", "002.png", ODD_NAME):
        assert source.has(name)
        assert source.read(name).tobytes() == plain.read(name).tobytes()


@pytest.mark.parametrize("name", ["none.png", "cut.png"])
def test_a_missing_or_cut_image_is_a_broken_one(location, name):
    with pytest.raises(CorruptImage, match=name):
        image_source(location).read(name)


def test_a_wrong_place_is_noticed_before_the_work_starts(location):
    require_images(location, ["none.png", "000.png"])
    with pytest.raises(InputError, match=r"holds none of the data's first 2 images \(a\.png"):
        require_images(location, ["a.png", "b.png", "a.png"])


def test_a_store_that_fails_does_not_make_broken_images(server):
    source = image_source(server.url)
    server.broken = True
    try:
        with pytest.raises(StoreUnreachable, match="the store does not give it"):
            source.read("000.png")
    finally:
        server.broken = False
    source.read("000.png")


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("gs://bucket/images", "pip install gcsfs"),
        ("s3://bucket/images", "pip install s3fs"),
        ("nope://bucket", "knows no nope://"),
        ("no/such/folder", "no such folder"),
        (
            "https://me:secret@example.com/images",  # pragma: allowlist secret
            "credentials in a URL",
        ),  # pragma: allowlist secret
        ("https://example.com/images?sig=secret", "credentials in a URL"),
    ],
)
def test_a_place_that_cannot_be_used_says_why(location, reason):
    package = reason.rpartition(" ")[2]
    if package.endswith("fs") and importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(InputError, match=reason) as refused:
        image_source(location)
    assert "secret" not in str(refused.value)


def test_data_is_fetched_by_its_file_or_its_folder(tmp_path):
    (tmp_path / "set").mkdir()
    for name in ("pairs.csv", "set/qa.parquet"):
        (tmp_path / name).write_text(name)
    with serve_folder(tmp_path) as server:
        for location, name in (("pairs.csv", "pairs.csv"), ("set/", "set/qa.parquet")):
            path = local_data(f"{server.url}/{location}")
            file = path / "qa.parquet" if path.is_dir() else path
            assert file.read_text() == name
            assert file.suffix == Path(name).suffix
        # It may have changed since.
        (tmp_path / "pairs.csv").write_text("anew")
        assert local_data(f"{server.url}/pairs.csv").read_text() == "anew"
        with pytest.raises(InputError, match="no such file"):
            local_data(f"{server.url}/no.csv")


@pytest.mark.parametrize(
    "signed",
    [
        *("d.csv?X-Amz-Signature=secret", "d?sig=secret&as=d.csv", "set?sig=a/secret.csv"),
        *("d.csv#token=secret", "d#secret.csv", "set/?token=secret"),
    ],
)
def test_data_behind_a_signed_url_is_refused_without_its_signature(signed):
    with pytest.raises(InputError, match="credentials in a URL") as refused:
        local_data(f"https://example.com/of/{signed}")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("read", [ImageFolder.read, ImageFolder.content])
def test_a_folder_that_is_emptied_or_gone_breaks_no_image(tmp_path, read):
    folder = tmp_path / "images"
    folder.mkdir()
    source = ImageFolder(folder)
    with pytest.raises(StoreUnreachable, match="is empty"):
        read(source, "a.png")
    folder.rmdir()
    with pytest.raises(StoreUnreachable, match="cannot be read"):
        read(source, "a.png")
    folder.mkdir()
    (folder / "b.png").write_bytes(b"no picture")
    for name in ("a.png", "b.png"):
        if read is ImageFolder.read or name == "a.png":
            with pytest.raises(CorruptImage):
                read(source, name)


def test_images_that_have_to_be_in_a_folder_are_not_looked_for_in_one_named_like_a_url():
    opened = OpenedData(Path("rows.csv"), "s3://bucket/images")
    with pytest.raises(
        InputError, match=r"^s3://bucket/images: images are read here from a folder"
    ):
        _ = opened.folder
    with pytest.raises(InputError, match=r"^gs://bucket: images are read here from a folder"):
        local_folder("gs://bucket")
    assert local_folder("images") == Path("images")
