"""``stylobench train``: a recipe -> a registered variant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import Format, PlanOption, minutes, print_rows, progress_bar

if TYPE_CHECKING:
    from harness.store import Run
    from harness.train import Order
    from harness.training.launch import TrainingSpec
    from harness.types import Variant


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe's name on trainers/recipes.")],
    corpus: Annotated[str | None, typer.Option(help="NAME@N instead of the recipe's own corpus.")] = None,
    seed: Annotated[int | None, typer.Option(help="One training seed instead of the recipe's.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop early; the variant is marked LIMITED.")
    ] = None,
    plan: PlanOption = False,
    then_run: Annotated[bool, typer.Option("--then-run", help="Benchmark the new variant at once.")] = False,
) -> None:
    """Train a variant (or reuse, or resume it) and register it."""
    from harness.bench import warehouse
    from harness.store import Run
    from harness.train import is_finished, orders, specify

    workspace: Path = context.obj
    store = warehouse(workspace)
    chosen = orders(recipe, workspace, corpus=corpus, seed=seed, steps=steps)
    specs = [specify(order, store, workspace) for order in chosen]
    if plan:
        print_rows(
            [_planned(order, is_finished(spec)) for order, spec in zip(chosen, specs, strict=True)],
            Format.table,
        )
        return
    for order, spec in zip(chosen, specs, strict=True):
        reused = is_finished(spec)
        with Run(store, f"train {order.name}", order.limited) as run:
            variant = _carry_out(order, spec, run, workspace)
        record = variant.record
        losses, done = record["validation_loss"], "reused" if reused else "trained"
        typer.echo(
            f"{variant.name}  {done}: {record['steps']} steps on {order.corpus}, "
            f"{record['minutes']:.1f} min, loss {record['final_loss']:.3f}, validation "
            f"{_loss(losses['before'])} -> {_loss(losses['after'])}, peak {record['peak_memory_gb']:.1f} GB, "
            f"adapter {record['adapter_mb']:.0f} MB"
        )
    if then_run:
        from harness.bench import find_suite
        from harness.cli.run import run_suite
        from harness.cli.score import score_suite

        suite = find_suite(workspace, None, chosen[0].corpus.name)
        names = [order.name for order in chosen]
        run_suite(workspace, suite, names, None)
        score_suite(workspace, suite, names, None)


def _carry_out(order: Order, spec: TrainingSpec, run: Run, workspace: Path) -> Variant:
    from harness.train import carry_out

    with progress_bar() as bar:
        task = bar.add_task(order.name, total=None)

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step":
                loss = event.get("loss")
                text = order.name if loss is None else f"{order.name}  loss {loss:.3f}"
                bar.update(task, completed=event["step"], total=event["steps"], description=text)

        return carry_out(order, spec, run, workspace, on_event)


def _planned(order: Order, finished: bool) -> dict[str, Any]:
    from harness.train import SECONDS_PER_TOKEN

    tokens = (order.steps or 0) * order.recipe.batch * order.recipe.seq_len
    return {
        "variant": order.name,
        "corpus": str(order.corpus),
        "length": order.effective_steps,
        "state": "reused" if finished else "to train",
        "time (CPU)": minutes(0 if finished else tokens * SECONDS_PER_TOKEN) if order.steps else "unknown",
    }


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
