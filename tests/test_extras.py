"""A program whose extra is not installed says so in one line."""

import subprocess
import sys

import pytest

WITHOUT = """
import runpy, sys

absent = set(sys.argv[1].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
BASE_ALONE = (
    "accelerate,aiohttp,aiosqlite,alembic,bert_score,bitsandbytes,google,huggingface_hub,jinja2,"
    "markupsafe,onnx,onnxruntime,onnxscript,openai,peft,prometheus_client,rapidfuzz,ray,"
    "safetensors,scipy,sentence_transformers,sqlalchemy,tensorboardX,tokenizers,torch,torchvision,"
    "transformers"
)


def run_without(absent, program, *arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, absent, program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
    )


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("evaluator report run", "evaluator"),
        ("evaluator score predictions.csv", "evaluator"),
        ("trainer fit recipe.toml", "trainer"),
        ("trainer sweep recipe.toml", "trainer,sweep"),
        ("trainer export adapter --out exported", "trainer,onnx"),
        ("curator run --catalog here --ledger here.db", "curator"),
    ],
)
def test_the_line_names_the_extra(command, extra, tmp_path):
    (tmp_path / "recipe.toml").write_text('data = "qa.csv"\nimages = "images"\nout = "adapter"\n')
    ended = run_without(BASE_ALONE, *command.split(), cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.strip().splitlines()
    assert f"pip install 'abo-vqa[{extra}]'" in line
    assert ended.stdout == ""


def test_batch_jobs_name_their_extra(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "keys.txt").write_text("AIzaSyKeyNumberOne001")
    options = ["--tier", "batch", "--catalog", str(tmp_path / "pictures")]
    options += ["--keys", str(tmp_path / "keys.txt"), "--ledger", str(tmp_path / "l.db")]
    ended = run_without("google", "curator", "run", *options)
    assert ended.returncode == 2, ended.stderr
    [line] = ended.stderr.strip().splitlines()
    assert "pip install 'abo-vqa[curator,google]'" in line
    assert not (tmp_path / "l.db").exists()


@pytest.mark.parametrize("program", ["curator", "evaluator", "trainer"])
def test_help_needs_no_extra(program):
    assert run_without(BASE_ALONE, program, "--help").returncode == 0


def test_one_package_that_is_missing_is_named():
    ended = run_without("jinja2", "evaluator", "report", "run")
    assert ended.returncode == 2
    assert ended.stderr.strip() == (
        "evaluator needs its extra (jinja2 is not installed): pip install 'abo-vqa[evaluator]'"
    )


def test_a_broken_part_of_our_own_keeps_its_traceback():
    ended = run_without("nothing", "evaluator.no_such_part")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
