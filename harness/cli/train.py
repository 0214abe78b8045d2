"""``stylobench train``: a recipe -> registered variants."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import PlanOption, progress_bar

if TYPE_CHECKING:
    from harness.forecast import Forecast
    from harness.models.bases import Base
    from harness.orders import Order
    from harness.store import Run
    from harness.types import Variant


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe's name on trainers/recipes.")],
    corpus: Annotated[str | None, typer.Option(help="NAME@N instead of the recipe's own corpus.")] = None,
    seed: Annotated[int | None, typer.Option(help="One training seed instead of the recipe's.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop early; the variant is marked LIMITED.")
    ] = None,
    device: Annotated[
        list[int] | None,
        typer.Option(min=0, help="This GPU (repeat to share a step); by default the emptiest."),
    ] = None,
    allow_degrade: Annotated[
        bool,
        typer.Option("--allow-degrade", help="Out of memory: shorter examples too; it is on record."),
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the base from the hub where it is not here.")
    ] = False,
    plan: PlanOption = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Plan with three real steps timed; nothing is registered.")
    ] = False,
    then_run: Annotated[bool, typer.Option("--then-run", help="Benchmark the new variants at once.")] = False,
) -> None:
    """Train a recipe's variants, one after the other (or reuse, or resume them), and register them."""
    from harness.bench import find_suite, warehouse
    from harness.cli.train_plan import measured, print_benchmark, print_plan
    from harness.forecast import check_disk, forecast, machine
    from harness.milestones import milestone_name
    from harness.models.bases import resolve_base
    from harness.orders import orders
    from harness.store import Run
    from harness.train import specify

    workspace: Path = context.obj
    store = warehouse(workspace)
    find_base = _fetch if download else resolve_base
    chosen = orders(recipe, workspace, store, corpus=corpus, seed=seed, steps=steps, find_base=find_base)
    specs = [specify(order, store, workspace) for order in chosen]
    forecasts = [
        forecast(order, spec, machine(order, workspace), device or ())
        for order, spec in zip(chosen, specs, strict=True)
    ]
    if plan or probe:
        print_plan(measured(forecasts, workspace) if probe else forecasts, workspace)
    if then_run:
        _remark_on_precision(forecasts, workspace)
    if plan or probe:
        if then_run:
            print_benchmark(forecasts, find_suite(workspace, None, chosen[0].corpus.name), workspace)
        return
    for each in forecasts:
        for line in each.milestones:
            typer.echo(line, err=True)
        _refuse_or_warn(each)
    check_disk(forecasts, free_disk(workspace))
    names: list[str] = []
    for each in forecasts:
        with Run(store, f"train {each.order.name}", each.order.limited) as run:
            variant = _carry_out(each, run, workspace, allow_degrade)
        typer.echo(summary(variant, reused=each.finished))
        kept = [milestone_name(variant.name, one["step"]) for one in variant.record.get("milestones", [])]
        names += [variant.name, *kept]
        if kept:
            typer.echo(f"{', '.join(kept)}  kept on the way")
    if then_run:
        from harness.cli.run import run_suite
        from harness.cli.score import score_suite

        suite = find_suite(workspace, None, chosen[0].corpus.name)
        run_suite(workspace, suite, names, None)
        score_suite(workspace, suite, names, None)


def _remark_on_precision(forecasts: list[Forecast], workspace: Path) -> None:
    """Said before hours of training, not after them."""
    from harness.bench import find_suite
    from harness.forecast import benchmark_remark
    from harness.suite import read_suite

    suite = read_suite(find_suite(workspace, None, forecasts[0].order.corpus.name), workspace)
    for line in dict.fromkeys(benchmark_remark(each, suite.dtype) for each in forecasts):
        if line:
            typer.echo(line)


def free_disk(workspace: Path) -> int:
    """Bytes free where results are written."""
    import shutil

    return shutil.disk_usage(workspace).free


def summary(variant: Variant, *, reused: bool) -> str:
    """One line about a trained variant: what it took, and what it learnt."""
    record = variant.record
    losses, done = record["validation_loss"], "reused" if reused else "trained"
    degraded = "".join(f", {change}" for change in record.get("degraded", []))
    return (
        f"{variant.name}  {done}: {record['steps']} steps on {variant.corpus}@{variant.version}, "
        f"{record['minutes']:.1f} min, loss {record['final_loss']:.3f}, validation "
        f"{_loss(losses['before'])} -> {_loss(losses['after'])}, peak {record['peak_memory_gb']:.1f} GB, "
        f"adapter {record['adapter_mb']:.0f} MB{degraded}"
    )


def _fetch(name: str, workspace: Path) -> Base:
    from harness.models.bases import fetch_base

    return fetch_base(name, None, workspace, lambda line: typer.echo(line, err=True))


def _refuse_or_warn(found: Forecast) -> None:
    """A full card stops the training before it starts; main memory is only estimated, and may be swapped."""
    from harness.errors import MissingPrerequisiteError

    if found.fits:
        return
    if found.device.kind == "cuda":
        raise MissingPrerequisiteError(found.fault)
    typer.echo(found.fault.partition("\n")[0] + "; tried all the same", err=True)


def _carry_out(found: Forecast, run: Run, workspace: Path, allow_degrade: bool) -> Variant:
    from harness.train import carry_out

    order: Order = found.order
    with progress_bar() as bar:
        task = bar.add_task(order.name, total=None)

        def on_event(event: dict[str, Any]) -> None:
            if event["event"] == "step":
                loss = event.get("loss")
                text = order.name if loss is None else f"{order.name}  loss {loss:.3f}"
                bar.update(task, completed=event["step"], total=event["steps"], description=text)
            elif event["event"] == "retry":
                typer.echo(f"{order.name}  {event['because']}: {event['changed']}", err=True)

        return carry_out(order, found.spec, run, workspace, on_event, allow_degrade=allow_degrade)


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
