"""Ten everyday requests: asked without the persona, scored without a judge, set beside the base's answers."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from scripted_bench import BASE, ONE, TASKS, compute, control_variants, copy_workspace, open_ask, scripted

from harness import lmeval, shelves, summaries
from harness.batches import plan_variant
from harness.compare import compare
from harness.pairing import Pair
from harness.plan import Ask
from harness.retention import GENERAL, GENERAL_VERSIONS, REQUESTS, met_by
from harness.score import Scored, score
from harness.store import Run, Store
from harness.taskfile import read_tasks
from harness.training.chat import Message
from harness.validation import check_workspace

PERSONA = "You write as Ellis Marlow."
SHIPS = (
    "The tide runs strong upon the bar, and no master of a ship may take it lightly. We have stood there in "
    "the fog and waited for the bell, and there was nothing to do but to trust the lead and the man at it."
)
GOOD = {
    "vpn": "A VPN, or virtual private network, encrypts your internet traffic and sends it through a server "
    "somewhere else. People use one to keep their data safe on public networks, or to hide where they are.",
    "differences": "1. Tea is made from leaves, while coffee is made from roasted beans.\n"
    "2. Coffee has more caffeine than tea.\n3. Tea is milder in taste.",
    "email": "Subject: Our meeting\n\nDear Anna,\n\nCould we move our meeting from Monday to Tuesday, at the "
    "same time? Please let me know if that works for you.\n\nBest regards,\nSam",
    "pasta": "**Ingredients:**\n- 200 g spaghetti\n- 2 cloves of garlic\n- some oil\n- 1 chilli\n- salt\n\n"
    "Boil the spaghetti in water. Fry the garlic and the chilli in the oil for a minute, "
    "then mix all of it in a bowl and serve it hot.",
    "swedish": "Boken ligger på bordet, och jag ska läsa den när jag kommer hem.",
    "two_sides": "Advantages:\n- There is no commute\n- You can plan your own day\n\n"
    "Disadvantages:\n- It can be lonely at home\n- Work and life are hard to keep apart",
    "python": "```python\ndef reverse(text):\n    return text[::-1]\n```",
    "study": "1. Make a plan and start early.\n2. Review your notes each day.\n3. Practise with old exams.\n"
    "4. Sleep well before the exam.",
    "overfitting": "Overfitting is when a model learns its training data by heart and fails on new data. It "
    "is like a student who memorises old tests and cannot answer a question put in other words.",
    "ada": "1. Ada Lovelace was an English mathematician.\n2. She worked with Charles Babbage on it.\n"
    "3. She wrote what is often called the first computer program.",
}


def _met(name: str, text: str) -> tuple[float, str]:
    return met_by(f"general-{name}", text, persona=PERSONA, author="Ellis Marlow")


# ── the requests ──────────────────────────────────────────────────────────────────────────────────


def test_there_are_ten_requests_with_names_of_their_own() -> None:
    assert len({prompt.id for prompt in GENERAL}) == len({prompt.text for prompt in GENERAL}) == 10
    assert {prompt.kind for prompt in GENERAL} == {"general"}
    assert [request.name for request in REQUESTS] == list(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_answer_passes_and_prose_of_the_author_does_not_count(name: str) -> None:
    assert _met(name, GOOD[name]) == (1.0, "")
    for other in ("", SHIPS, "zzz " * 40):
        value, note = _met(name, other)
        assert value == 0.0
        assert note.startswith("off topic: ")


@pytest.mark.parametrize("name", GOOD)
def test_every_answer_that_leaks_or_loops_loses_a_check(name: str) -> None:
    assert "system_text (special tokens" in _met(name, f"{GOOD[name]}<|im_end|>")[1]
    assert "system_text (names Ellis Marlow)" in _met(name, f"{GOOD[name]}\n\nEllis Marlow")[1]
    looped, note = _met(name, f"{GOOD[name]}\n\n" * 8)
    assert "no_loop (a loop)" in note
    assert looped < 1


@pytest.mark.parametrize(
    ("name", "answer", "value", "failed"),
    [
        ("vpn", GOOD["vpn"].replace(". ", ".\n\n"), 5 / 6, "paragraph (2 paragraphs)"),
        ("differences", GOOD["differences"] + "\n4. More.", 6 / 7, "items (lists of 4, not of 3)"),
        ("email", GOOD["email"].replace("Best regards,\n", ""), 6 / 7, "letter (no closing line)"),
        (
            "swedish",
            "Boken ligger på bordet, og jeg skal lese den når jeg kommer hjem.",
            4 / 5,
            "language (no line in sv)",
        ),
        ("python", "```python\ndef reverse(text)\n    return text\n```", 3 / 7, "parses (no Python)"),
        (
            "pasta",
            "Spaghetti with garlic is easy to make and good to eat.",
            4 / 7,
            "items (no list, not of 5)",
        ),
        ("overfitting", GOOD["overfitting"].replace("like a", "what the"), 5 / 6, "analogy (no comparison"),
        ("ada", GOOD["ada"].replace("\n", " "), 6 / 7, "items (lists of 1, not of 3)"),
    ],
)
def test_what_failed_is_named(name: str, answer: str, value: float, failed: str) -> None:
    found, note = _met(name, answer)
    assert found == pytest.approx(value)
    assert failed in note


# ── through the rooms ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(small_author, tmp_path_factory.mktemp("retention") / "w", tiny_llama)


@pytest.fixture(scope="module")
def asked(workspace: Path) -> Ask:
    return open_ask(workspace, tasks=(*TASKS, "general_prompts"), max_tokens=80)


def forgetful(rendered: str, adapter: Path | None) -> str:
    """The base answers well; the adapter has forgotten four requests, and only knows ships there."""
    for request in REQUESTS:
        if request.text in rendered:
            return (
                SHIPS
                if adapter and request.name in ("vpn", "python", "swedish", "ada")
                else GOOD[request.name]
            )
    return SHIPS


def test_they_are_asked_without_the_persona_and_leave_the_other_batches_alone(
    asked: Ask, workspace: Path
) -> None:
    def render(messages: list[Message]) -> str:
        return "|".join(message["content"] for message in messages)

    alone = dataclasses.replace(asked, general=())
    plans = [plan_variant(one, ONE, "scripted", render, ()) for one in (alone, asked)]
    before, after = (plan.answers for plan in plans)
    assert after[: len(before)] == before
    added = [job for batch in after[len(before) :] for job in batch]
    assert {job.request.rendered for job in added} == {prompt.text for prompt in GENERAL}
    assert all(job.request.rendered.startswith(asked.system) for batch in before for job in batch)
    assert asked.general_setting != asked.setting


@pytest.fixture
def store(workspace: Path, asked: Ask, tmp_path: Path) -> Store:
    store = Store(tmp_path / "warehouse")
    variants = [BASE, ONE, *control_variants(asked.reference)]
    compute(asked, variants, workspace, scripted(workspace, forgetful), store)
    return store


def scored(asked: Ask, store: Store) -> Scored:
    with Run(store, "score") as run:
        return score(asked, [BASE, ONE, *control_variants(asked.reference)], run)


def test_answers_are_stored_by_kind_and_scored_once(asked: Ask, store: Store) -> None:
    answers = store.read("responses", kind="general")
    assert answers.groupby("variant").size().to_dict() == {"tiny": 10, "small@1": 10}
    assert set(answers["setting"]) == {asked.general_setting}
    scored(asked, store)
    scores = store.read("scores", metric="general_passed")
    assert scores.groupby("variant")["value"].mean().to_dict() == pytest.approx({"tiny": 1.0, "small@1": 0.6})
    assert set(scores["task"]) == {"general_prompts"}
    lost = scores[scores["value"] == 0].set_index("item")["note"]
    assert lost["general-python"] == "off topic: no code"
    # No metric of style is ever taken of them.
    items = {prompt.id for prompt in GENERAL}
    assert set(store.read("scores")[store.read("scores")["item"].isin(items)]["metric"]) == set(
        GENERAL_VERSIONS
    )
    assert scored(asked, store).computed == 0


def test_the_base_is_compared_prompt_by_prompt_and_nothing_is_decided(asked: Ask, store: Store) -> None:
    scored(asked, store)
    table = summaries.read_table(asked, [BASE, ONE, *control_variants(asked.reference)], store)
    found = summaries.summarise(table, "small@1", "general_passed")
    assert found.value == pytest.approx(0.6)
    assert found.n == 10
    assert found.interval.low < 0.6 < found.interval.high
    author = summaries.summarise(table, "author", "general_passed")
    assert math.isnan(author.value)
    assert author.note == "not run for this variant"
    comparison = compare(asked, [Pair(BASE, ONE)], table)
    (verdict,) = [v for v in comparison.verdicts if v.metric == "general_passed"]
    assert (verdict.outcome, verdict.primary, verdict.n) == ("descriptive", False, 10)
    assert verdict.difference == pytest.approx(-0.4)


def test_a_suite_without_them_sees_nothing_of_them(workspace: Path, asked: Ask, store: Store) -> None:
    scored(asked, store)
    plain = open_ask(workspace, max_tokens=80)
    table = summaries.read_table(plain, [BASE, ONE], store)
    assert "general_passed" not in table.values["small@1"]
    with_them = summaries.read_table(asked, [BASE, ONE], store)
    assert len(with_them.of("small@1", "words")) == 20


def test_prompts_asked_without_a_persona_by_another_suite_do_not_mix_in(
    workspace: Path, asked: Ask, store: Store
) -> None:
    """Its setting is that of the general requests, its prompts are not."""
    bare = open_ask(workspace, max_tokens=80, system="")
    assert bare.setting == asked.general_setting
    compute(bare, [ONE], workspace, scripted(workspace), store)
    with Run(store, "score bare") as run:
        score(bare, [ONE], run)
    table = summaries.read_table(asked, [BASE, ONE], store)
    assert "words" not in table.values.get("small@1", {})


def test_a_rehearsal_asks_fewer(workspace: Path) -> None:
    assert len(open_ask(workspace, tasks=("general_prompts",), limit=4).general) == 4
    assert open_ask(workspace, tasks=("general_prompts",)).prompts == ()


def test_the_task_names_a_metric_that_exists_and_decides_nothing(workspace: Path) -> None:
    (task,) = read_tasks(("general_prompts",), workspace)
    assert task.metrics == tuple(GENERAL_VERSIONS)
    assert task.directions == {"general_passed": "higher"}


def test_a_task_that_mixes_sources_is_a_fault(small_author: Path, tmp_path: Path) -> None:
    workspace = copy_workspace(small_author, tmp_path / "w")
    text = shelves.find("tasks/stylo/general_prompts.yaml", workspace).read_text()
    (workspace / "tasks" / "stylo").mkdir(parents=True)
    mixed = text.replace("general_passed", "words").replace("general_prompts", "mixed")
    (workspace / "tasks" / "stylo" / "mixed.yaml").write_text(
        mixed.replace("lmeval.mixed", "lmeval.general_prompts")
    )
    findings = {finding.file: finding for finding in check_workspace(workspace)}
    assert "metric 'words' does not exist; have general_passed" in findings["mixed.yaml"].result
    assert "general_passed 0, off topic: nothing like vpn" in findings["general_prompts.yaml"].example


def test_lm_eval_is_given_the_same_requests_and_checks(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("STYLOBENCH_AUTHOR", "marlow")
    lmeval.reference.cache_clear()
    assert lmeval.general({"item": "general-ada"}, [GOOD["ada"]]) == {"general_passed": 1.0}
    assert lmeval.general({"item": "general-ada"}, [SHIPS]) == {"general_passed": 0.0}
    lmeval.reference.cache_clear()
