"""``stylobench judge``: a language model says which of two variants reads more like the author."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import LimitOption, PlanOption

if TYPE_CHECKING:
    from harness.anchors import Anchors
    from harness.bench import Bench
    from harness.compare import Comparison
    from harness.corpus.purchase import Terms
    from harness.duels import Pairing
    from harness.judging import Judge, Tally
    from harness.types import Variant


def judge(
    context: typer.Context,
    suite: Annotated[str, typer.Argument(help="A suite that was run.")],
    baseline: Annotated[str, typer.Option(help="A variant or control.")],
    candidate: Annotated[str, typer.Option(help="A variant or control.")],
    model: Annotated[str, typer.Option(help="A dated model of Anthropic's, claude-...-20251001.")],
    price: Annotated[str, typer.Option(metavar="IN,OUT", help="US dollars per million tokens, as listed.")],
    max_usd: Annotated[float, typer.Option(min=0, help="Never spend more on this pair, over all runs.")],
    anchors: Annotated[int, typer.Option(min=4, help="Prompts that the judge is tried on first.")] = 12,
    live: Annotated[bool, typer.Option("--live", help="At once and at full price, not in batches.")] = False,
    limit: LimitOption = None,
    plan: PlanOption = False,
) -> None:
    """Ask a model which of two variants reads more like the author: blind, in both orders, for money.

    The judge is first tried on pairs whose outcome is known. What it says is described and decides nothing.
    The key is read from ANTHROPIC_API_KEY. What was bought once is never bought again.

    Exit codes: 0 judged, 4 void or incomplete (run it again), 5 no key.
    """
    from harness.anchors import anchors as anchor_duels
    from harness.bench import open_bench
    from harness.duels import pairing, samples_of
    from harness.errors import ConfigurationError
    from harness.judging import Judge

    terms = terms_of(model, price, max_usd, live)
    if baseline == candidate:
        raise ConfigurationError(f"{baseline} cannot be judged against itself; the anchors do that")
    workspace: Path = context.obj
    wanted = [name for name in (baseline, candidate) if not _is_control(name)]
    bench = open_bench(suite, workspace, variants=wanted, limit=limit)
    sides = [_variant(name, bench) for name in (baseline, candidate)]
    account = f"judge {suite}: {baseline} against {candidate}, {model}"
    folder = workspace / "results" / "judgements"
    judging = Judge(terms, samples_of(bench.asked.reference), folder, account)
    tried = anchor_duels(bench.asked, anchors)
    paired = pairing(bench.asked, sides[0], sides[1], bench.store, judging.identity)
    if bench.asked.limited:
        typer.echo(f"LIMITED: {bench.asked.limited}; a rehearsal, not a result")
    if plan:
        for what, duels in (("anchors", tried.all), ("pairs", paired.duels)):
            found = judging.estimate(duels)
            typer.echo(
                f"{what}: {len(duels):,} duels, {found.n_passages:,} replies to buy, "
                f"about {found.likely_usd:.3f} US dollars, at most {found.worst_usd:.3f}"
            )
        typer.echo(f"the cap is {max_usd:.2f}; nothing was sent")
        return
    _hold(judging, bench, tried, paired)


def terms_of(model: str, price: str, max_usd: float, live: bool) -> Terms:
    """Model, price and cap as the options say them.

    Raises:
        ConfigurationError: a model without a date, or a price that is not two positive numbers.
    """
    from harness.corpus.purchase import Terms
    from harness.corpus.spending import Price
    from harness.errors import ConfigurationError
    from harness.judging import JUDGE_PROMPT, TOKENS_A_REPLY

    try:
        paid_in, paid_out = (float(each) for each in price.split(","))
    except ValueError:
        raise ConfigurationError(
            f"--price {price}: two numbers, IN,OUT, in US dollars per million tokens"
        ) from None
    if not all(math.isfinite(each) and each > 0 for each in (paid_in, paid_out)) or not math.isfinite(
        max_usd
    ):
        raise ConfigurationError("--price must be two positive numbers, and --max-usd a finite one")
    try:
        return Terms(model, Price(paid_in, paid_out), max_usd, JUDGE_PROMPT, TOKENS_A_REPLY, live)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("writer", "--model", 1)) from None


def _hold(judging: Judge, bench: Bench, tried: Anchors, paired: Pairing) -> None:
    """Anchors, then the pairs; prints what came of them and stores the verdicts."""
    from harness.anchors import AGAINST_HIMSELF, AGAINST_OTHERS, failures, keep_anchors
    from harness.duels import buy, keep, lacking
    from harness.errors import EXIT_INCOMPLETE, IncompleteError
    from harness.judging import tally
    from harness.store import Run

    # In one purchase: batches may take hours, and the two kinds of anchor do not wait for each other.
    bought = buy(judging, tried.all, "anchors")
    others, himself = bought.judged[: len(tried.others)], bought.judged[len(tried.others) :]
    for what, judged in ((AGAINST_OTHERS, others), (AGAINST_HIMSELF, himself)):
        typer.echo(f"anchor  {what}: {_said(tally(judged))}")
    name = f"judge {bench.suite_name}: {paired.baseline.name} against {paired.candidate.name}"
    with Run(bench.store, f"{name}, anchors", bench.asked.limited) as note:
        keep_anchors(bench.asked, judging.identity, bought.judged, note)
    if failed := failures(others, himself):
        typer.echo(f"VOID: this judge cannot be believed here ({'; '.join(failed)}); nothing more was bought")
        raise typer.Exit(EXIT_INCOMPLETE)
    judgement = judging.judge(paired.duels)
    with Run(bench.store, name, bench.asked.limited) as note:
        keep(bench.asked, paired, judgement, note)
    found = tally(judgement.judged)
    typer.echo(f"{_sentence(found, paired)} {_said(found)}; descriptive, it decides nothing")
    unjudged = [each for each in judgement.judged if math.isnan(each.value)]
    if paired.left_out or unjudged:
        typer.echo(
            f"without a verdict: {len(paired.left_out):,} prompts with an invalid, copied or short answer, "
            f"{len(unjudged):,} that the judge refused or did not understand"
        )
    for remark in dict.fromkeys(filter(None, (bought.note, judgement.note))):
        typer.echo(remark)
    typer.echo(f"billed {bought.usd + judgement.usd:.4f} US dollars in this run")
    if judgement.missing:
        raise IncompleteError(lacking(judgement, "pairs"))


def print_stored(bench: Bench, comparison: Comparison) -> None:
    """A line for each judge that was asked about a pair of this comparison, with what his anchors say of him;
    and one for each that failed them before he was asked. Mostly none.
    """
    from harness.anchors import tried
    from harness.duels import stored

    known = tried(bench.asked, bench.store)
    asked: set[str] = set()
    for pair in comparison.pairs:
        for name, found in stored(bench.asked, pair.baseline, pair.candidate, bench.store).items():
            worth = known[name].told if name in known else "anchors not stored, judging again stores them"
            typer.echo(f"{name}: {pair.candidate.name} against {pair.baseline.name}: {_said(found)}; {worth}")
            asked.add(name)
    for name, anchors in known.items():
        if anchors.faults and name not in asked:
            typer.echo(f"{name}: {anchors.told}")


def _sentence(found: Tally, paired: Pairing) -> str:
    """Who reads more like the author, if the interval leaves one half out."""
    low, high = found.interval
    if low > 0.5:
        return f"{paired.candidate.name} reads more like the author than {paired.baseline.name}:"
    if high < 0.5:
        return f"{paired.baseline.name} reads more like the author than {paired.candidate.name}:"
    return f"Cannot tell {paired.candidate.name} from {paired.baseline.name}:"


def _said(found: Tally) -> str:
    """Preference with interval, wins, ties, losses, and how often the two orders agree."""
    if not found.n:
        return "nothing was judged"
    agree = "" if math.isnan(found.consistency) else f", both orders agree on {found.consistency:.0%}"
    return (
        f"preference {found.value:.2f} [{found.interval.low:.2f}, {found.interval.high:.2f}], "
        f"{found.won} won, {found.tied} tied, {found.lost} lost of {found.n}{agree}"
    )


def _is_control(name: str) -> bool:
    return name in ("author", "copyist", "shuffled") or name.startswith("other:")


def _variant(name: str, bench: Bench) -> Variant:
    """A variant or control of the suite by its own name; ``AUTHOR@N`` may stand for several."""
    from harness.errors import ConfigurationError, nearest

    known = {variant.name: variant for variant in bench.variants}
    if name not in known:
        raise ConfigurationError(f"{name!r} is no variant or control of this suite{nearest(name, known)}")
    return known[name]
