"""``curator rehearse`` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curator.__main__ import app
from curator.commands.rehearse import _catalog_of
from shared.endpoints.keys.keyfile import read_keys
from shared.program.cli import run_program
from tests.curator.rehearsal.conftest import MODEL, Catalogue
from tests.fakes.service_account import write_service_account


def command(catalogue: Catalogue, *options: object) -> list[str]:
    words = ("--answers", catalogue.answers, "--images", catalogue.images)
    cache = ("--cache", catalogue.images.parent / "cache", "--port", 0)
    return [sys.executable, "-m", "curator", "rehearse", *map(str, (*words, *cache, *options))]


@contextmanager
def started(words: list[str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start a rehearsal with --json, and end it with SIGTERM."""
    process = subprocess.Popen(
        [*words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.communicate()[1])
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def test_the_campaign_that_it_proposes_reads_the_listings_where_there_are_some(tmp_path: Path):
    images = tmp_path / "abo" / "images" / "small"
    images.mkdir(parents=True)
    assert _catalog_of(images) == images
    (tmp_path / "abo" / "listings" / "metadata").mkdir(parents=True)
    assert _catalog_of(images) == (tmp_path / "abo").resolve()


def ask(base_url: str, key: str) -> int:
    return ask_at(f"{base_url}/v1/models/{MODEL}:generateContent", {"x-goog-api-key": key})


def ask_at(url: str, headers: dict[str, str]) -> int:
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}).encode()
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_it_says_where_it_is_serves_and_ends_on_sigterm(catalogue: Catalogue):
    with started(command(catalogue, "--rpm", 1)) as (process, ready):
        assert (ready["images"], ready["questions"]) == (2, 5)
        assert f"--endpoint {ready['base_url']}" in ready["campaign"]
        assert [ask(ready["base_url"], "any-key") for _ in range(2)] == [200, 429]
        with urllib.request.urlopen(ready["stats_url"]) as response:
            assert json.load(response)["outcomes"] == {"minute_quota": 1, "no_image": 1}
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "2 requests" in errors
        assert "any-key" not in errors


def test_it_plays_a_campaigns_own_keys_file(catalogue: Catalogue, tmp_path: Path):
    keys = tmp_path / "keys.toml"
    keys.write_text('[[key]]\napi_key = "my-secret-key"\nrpd = 1\n')
    script = tmp_path / "script.toml"
    script.write_text('answers = "answers.csv"\nimages = "images"\n')
    with started(command(catalogue, "--script", script, "--keys", keys)) as (_, ready):
        assert f"--keys {keys}" in ready["campaign"]
        assert [ask(ready["base_url"], "my-secret-key") for _ in range(2)] == [200, 429]
        assert ask(ready["base_url"], "another") == 400


def test_it_plays_accounts_of_google_cloud_too(catalogue: Catalogue, tmp_path: Path):
    account = write_service_account(
        tmp_path / "account.json", "https://oauth2.invalid", "any-cloud"
    )
    keys = tmp_path / "keys.toml"
    keys.write_text(
        '[[key]]\nenterprise = true\nproject = "our-cloud"\nlocation = "eu"\nrpm = 1\n'
        'credentials = "account.json"\n'
    )
    script = tmp_path / "script.toml"
    script.write_text('answers = "answers.csv"\nimages = "images"\n')
    with started(command(catalogue, "--script", script, "--keys", keys)) as (_, ready):
        write_service_account(account, ready["base_url"], "any-cloud")
        words = [sys.executable, "-m", "curator", "keys", "--keys", str(keys), "--json"]
        done = subprocess.run(
            [*words, "--endpoint", ready["base_url"]], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        [key] = json.loads(done.stdout)["keys"]
        assert (key["project"], key["state"]) == ("our-cloud/eu", "usable")
        place = "projects/our-cloud/locations/eu/publishers/google/models"
        url = f"{ready['base_url']}/v1beta1/{place}/{MODEL}:generateContent"
        assert [ask_at(url, {"Authorization": "Bearer ya29.any"}) for _ in range(2)] == [200, 429]


def test_it_sums_up_plain_requests_and_those_of_jobs(catalogue: Catalogue):
    with started(command(catalogue)) as (process, ready):
        assert ask(ready["base_url"], "any-key") == 200
        asked = {"request": {"contents": [{"parts": [{"text": "Hello"}]}]}}
        body = {"batch": {"input_config": {"requests": {"requests": [asked] * 3}}}}
        url = f"{ready['base_url']}/v1beta/models/{MODEL}:batchGenerateContent?key=any-key"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).close()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert "1 requests (no_image 1), and 3 in batch jobs (succeeded 1)." in said


def test_limits_of_models_in_a_keys_file_count_too(catalogue: Catalogue, tmp_path: Path):
    keys = tmp_path / "keys.toml"
    keys.write_text(
        '[[key]]\napi_key = "my-secret-key"\nrpm = 1\n[[model]]\nname = "MODEL"\nrpm = 2\n'.replace(
            "MODEL", MODEL
        )
    )
    with started(command(catalogue, "--keys", keys)) as (_, ready):
        statuses = [ask(ready["base_url"], "my-secret-key") for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_it_writes_the_keys_of_a_script_for_the_campaign(catalogue: Catalogue, tmp_path: Path):
    script = tmp_path / "script.toml"
    script.write_text(
        f'answers = "{catalogue.answers.name}"\nimages = "images"\n'
        '[[project]]\nname = "ours"\nrpm = 5\nrpd = 0\n'
        '[[key]]\nlabel = "a"\napi_key = "secret-a"\nproject = "ours"\n'
        '[[key]]\nlabel = "b"\napi_key = "secret-b"\nstate = "leaked"\n'
    )
    pool = tmp_path / "keys.toml"
    with started(command(catalogue, "--script", script, "--write-keys", pool)) as (_, ready):
        assert f"--keys {pool}" in ready["campaign"]
        assert "secret" not in json.dumps(ready)
        assert ask(ready["base_url"], "secret-b") == 403
    keys = read_keys(pool, {})
    assert [(key.label, key.secret, key.quota.rpm) for key in keys] == [
        ("a", "secret-a", 5),
        ("b", "secret-b", None),
    ]
    assert "leaked" not in pool.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--answers", "nowhere.csv"], "nowhere.csv"),
        (["--images", "nowhere"], "nowhere"),
        (["--script", "nowhere.toml"], "nowhere.toml"),
        (["--keys", "nowhere.toml"], "nowhere.toml"),
        (["--host", "203.0.113.1"], "--listen 203.0.113.1"),
        (["--write-keys", "pool.toml"], "names no keys"),
        (["--script", "keyless.toml"], "no key would work"),
        (["--script", "cloud.toml", "--write-keys", "pool.toml"], "none but access tokens"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    catalogue: Catalogue, tmp_path: Path, options: list[str], words: str
):
    keyless = 'answers = "answers.csv"\nimages = "images"\n'
    (tmp_path / "keyless.toml").write_text(keyless)
    cloud = '[[key]]\napi_key = "token"\nenterprise = true\n'
    (tmp_path / "cloud.toml").write_text(keyless + cloud)
    done = subprocess.run(
        command(catalogue, *options),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pool.toml").exists()


def test_where_the_port_is_taken_nothing_is_read_or_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    script, pool = tmp_path / "script.toml", tmp_path / "pool.toml"
    script.write_text('[[key]]\nlabel = "a"\nproject = "p"\n')
    files = ("--script", str(script), "--write-keys", str(pool))
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", ["rehearse", *files, "--listen", place])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"curator: --listen {place}: cannot listen there")
    assert not pool.exists()
