"""The trainer's commands: each reads its options and the recipe, then hands over."""

from __future__ import annotations

import importlib.util
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.errors import InputError
from shared.program.settings import Settings, load_settings
from shared.program.stopping import StopSignal, stop_on_signals
from trainer.recipe.template import commented_toml
from trainer.tables import fuse_table, merge_table, sweep_table

Recipe = Annotated[
    Path, typer.Argument(help="TOML file; `trainer recipe` prints one", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="overrides one setting; may be repeated"),
]
Out = Annotated[Path, typer.Option("--out", help="folder to make", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]


class FusionName(StrEnum):
    """``trainer.merging.fuse.Fusion``, without importing torch for ``--help``."""

    LINEAR = "linear"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"


class Purpose(StrEnum):
    """Which command a recipe is for."""

    FIT = "fit"
    PRETRAIN = "pretrain"


def fit_command(
    recipe: Recipe,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="go on at the last checkpoint")] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a LoRA adapter by the recipe."""
    # torch takes seconds to import; --help and bad recipes need not wait for it.
    from trainer.fitting.fit import fit  # noqa: PLC0415
    from trainer.recipe.recipe import FitRecipe  # noqa: PLC0415

    settings = load_settings(FitRecipe, recipe, overrides or ())
    stop = StopSignal()
    with stop_on_signals(stop, "trainer"):
        result = fit(settings, resume=resume, stop=stop)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "adapter": str(result.adapter)}))
        return
    typer.echo(
        f"{result.adapter}: held-out exact match {result.exact_match:.4f} "
        f"(base alone {result.base_exact_match:.4f}), epoch {result.best_epoch}, "
        f"{result.steps} steps"
    )


def sweep_command(recipe: Recipe, overrides: Overrides = None, as_json: Json = False) -> None:
    """Train every combination of the recipe's sweep table, and say which settings mattered.

    Given again, it goes on where it stopped.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError("trainer sweep needs Ray Tune: pip install 'abo-vqa[sweep]'")
    from trainer.recipe.recipe import FitRecipe  # noqa: PLC0415
    from trainer.sweep.files import findings_json  # noqa: PLC0415
    from trainer.sweep.findings import sentences  # noqa: PLC0415
    from trainer.sweep.run import CHART_FILE, CSV_FILE, JSON_FILE, sweep  # noqa: PLC0415
    from trainer.sweep.space import fit_command, trial_folder  # noqa: PLC0415

    settings = load_settings(FitRecipe, recipe, overrides or ())
    # Ray reports dead workers on standard output, which is the JSON object's.
    with redirect_stdout(sys.stderr):
        findings = sweep(settings)
    best = findings.best
    assert best is not None
    again = fit_command(recipe, settings, best.best_seed.trial)
    if as_json:
        found = {"folder": str(settings.out), **findings_json(findings), "command": again}
        typer.echo(json.dumps(found))
        return
    Console().print(sweep_table(findings))
    for sentence in sentences(findings):
        typer.echo(sentence)
    typer.echo(f"its adapter: {trial_folder(settings.out, best.best_seed.trial)}")
    typer.echo(f"to train it again: {again}")
    typer.echo(
        f"files: {', '.join(str(settings.out / f) for f in (JSON_FILE, CSV_FILE, CHART_FILE))}"
    )


def merge_command(
    adapter: Annotated[Path, typer.Argument(help="folder of a finished run")],
    out: Out,
    images: Annotated[
        Path | None,
        typer.Option(help="where the kept pairs' images are", show_default="as trained"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write W0 + BA as a plain model in 16 bits, and say what merging changed."""
    from trainer.merging.merge import merge  # noqa: PLC0415

    result = merge(adapter, out, images)
    if as_json:
        typer.echo(
            json.dumps({**asdict(result), "folder": str(out), "difference": result.difference})
        )
        return
    Console().print(merge_table(result))
    typer.echo(f"{out}: merging changed exact match by {result.difference:+.4f}")


def fuse_command(
    adapters: Annotated[list[Path], typer.Argument(help="folders of finished runs, two or more")],
    *,
    out: Out,
    method: Annotated[
        FusionName, typer.Option(help="weighted sum, or pruned first and then combined")
    ] = FusionName.LINEAR,
    weights: Annotated[
        str | None, typer.Option(help="one for each adapter, with commas", show_default="equal")
    ] = None,
    density: Annotated[
        float, typer.Option(help="share of an update that TIES and DARE keep", min=0.01, max=1)
    ] = 0.5,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="the images' folder, or one for each", show_default="as trained"),
    ] = None,
    seed: Annotated[int, typer.Option(help="decides what DARE drops")] = 0,
    as_json: Json = False,
) -> None:
    """Make one adapter of several domains' adapters, and show what each domain forgot."""
    from trainer.merging.fuse import Fusion, fuse  # noqa: PLC0415

    result = fuse(
        adapters,
        out,
        method=Fusion(method.value),
        weights=_numbers(weights),
        density=density,
        images=images or (),
        seed=seed,
    )
    if as_json:
        domains = [{**asdict(d), "forgotten": d.forgotten} for d in result.domains]
        typer.echo(json.dumps({"folder": str(out), "rank": result.rank, "domains": domains}))
        return
    Console().print(fuse_table(result))
    typer.echo(f"{out}: one adapter of rank {result.rank}")


def _numbers(text: str | None) -> list[float]:
    try:
        return [float(word) for word in text.split(",")] if text else []
    except ValueError:
        raise InputError(f"--weights {text!r}: expected numbers, such as 0.5,0.5") from None


def recipe_command(
    purpose: Annotated[
        Purpose, typer.Argument(help="the command that reads it; `sweep` reads that of `fit`")
    ] = Purpose.FIT,
) -> None:
    """Print a recipe with every setting, what it does and its default."""
    from trainer.pretraining.recipe import PretrainRecipe  # noqa: PLC0415
    from trainer.recipe.recipe import FitRecipe  # noqa: PLC0415

    recipes: dict[Purpose, type[Settings]] = {
        Purpose.FIT: FitRecipe,
        Purpose.PRETRAIN: PretrainRecipe,
    }
    typer.echo(commented_toml(recipes[purpose]), nl=False)


def pretrain_command(
    recipe: Annotated[
        Path,
        typer.Argument(help="TOML file; `trainer recipe pretrain` prints one", show_default=False),
    ],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="go on at the last checkpoint")] = False,
    describe_only: Annotated[
        bool, typer.Option(help="only measure the model in `out` again and write its card")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a small BLIP from scratch; this is how blip-vqa-tiny is made."""
    from trainer.pretraining.pretrain import describe, make_model  # noqa: PLC0415
    from trainer.pretraining.recipe import PretrainRecipe  # noqa: PLC0415

    settings = load_settings(PretrainRecipe, recipe, overrides or ())
    if describe_only:
        result = describe(settings)
    else:
        stop = StopSignal()
        with stop_on_signals(stop, "trainer"):
            result = make_model(settings, resume=resume, stop=stop)
    if as_json:
        typer.echo(json.dumps({**asdict(result), "folder": str(result.folder)}))
        return
    typer.echo(
        f"{result.folder}: {result.parameters:,} parameters; test exact match "
        f"{result.exact_match:.4f}, in 4 bit {result.exact_match_nf4:.4f}, question-only prior "
        f"{result.prior_exact_match:.4f}"
    )
