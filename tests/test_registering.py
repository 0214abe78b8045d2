"""What was made elsewhere: adapters that fit or do not, answers that match or do not, and names kept free."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scripted_bench import BASE, ONE, compute, control_variants, copy_workspace, open_ask, scripted
from small_author import NAME

from harness import reference as references
from harness.bench import warehouse
from harness.compare import compare
from harness.engines import renderer
from harness.errors import ConfigurationError, MissingPrerequisiteError
from harness.models import adapters, recorded
from harness.models.bases import resolve_base
from harness.pairing import pair
from harness.reference import Reference
from harness.registering import Registered, TrainedOn, register_adapter, register_recorded, trained_on
from harness.score import score
from harness.store import Run
from harness.summaries import read_table
from harness.training.templates import stored_source, template_of
from harness.types import Variant
from harness.variants import check_adapter, registered

UNKNOWN = TrainedOn("unknown")


@pytest.fixture(scope="module")
def workspace(small_author: Path, tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_workspace(small_author, tmp_path_factory.mktemp("registering") / "w", tiny_llama)


@pytest.fixture
def own(workspace: Path, tmp_path: Path) -> Path:
    return shutil.copytree(workspace, tmp_path / "w")


@pytest.fixture(scope="module")
def reference(workspace: Path) -> Reference:
    return references.load(NAME, workspace)


@pytest.fixture(scope="module")
def lora(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real LoRA of the tiny model, as peft saves it; its factors are random, so that it does something."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("elsewhere") / "my-lora"
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_llama)
    get_peft_model(model, config).save_pretrained(folder)
    return folder


def altered(lora: Path, to: Path, **config: Any) -> Path:
    shutil.copytree(lora, to)
    path = to / adapters.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return to


def adapter(name: str, folder: Path, workspace: Path, seen: TrainedOn = UNKNOWN) -> Registered:
    with Run(warehouse(workspace), "register") as run:
        return register_adapter(name, folder, "tiny", seen, run, workspace)


def answers(
    name: str, rows: list[Mapping[str, Any]], workspace: Path, seen: TrainedOn = UNKNOWN
) -> Registered:
    file = workspace / "answers.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with Run(warehouse(workspace), "register") as run:
        return register_recorded(name, file, None, seen, run, workspace)


def full(reference: Reference) -> list[Mapping[str, Any]]:
    return [{"item": p.id, "answer": f"{p.reference} The end of it."} for p in reference.prompts]


# ── adapters ──────────────────────────────────────────────────────────────────────────────────────


def test_an_adapter_from_outside_is_copied_and_can_be_worn(own: Path, lora: Path) -> None:
    from harness.models.hf import HFModel

    found = adapter("old", lora, own, trained_on(f"{NAME}@2", own)).variant
    assert registered(warehouse(own))["old"] == found
    assert (found.base, found.adapter, found.trained_on) == ("tiny", "results/adapters/old", f"{NAME}@2")
    assert {path.name for path in (own / found.adapter).iterdir()} == {adapters.CONFIG, adapters.WEIGHTS}
    model = HFModel(resolve_base("tiny", own).path, "float32", "cpu")
    model.wear(own / found.adapter)


def test_the_record_says_whether_biases_were_trained(own: Path, lora: Path, tmp_path: Path) -> None:
    """By which a run knows that it must not share its base."""
    plain = adapter("old", lora, own).variant
    biased = adapter("new", altered(lora, tmp_path / "b", bias="all", lora_alpha=16), own).variant
    assert [v.record["settings"]["lora"]["bias"] for v in (plain, biased)] == ["none", "all"]


def test_an_adapter_inside_the_workspace_stays_where_it_is(own: Path, lora: Path) -> None:
    shutil.copytree(lora, own / "mine" / "lora")
    assert adapter("old", own / "mine" / "lora", own).variant.adapter == "mine/lora"
    assert not (own / "results" / "adapters").exists()


def test_another_scale_is_another_variant(own: Path, lora: Path, tmp_path: Path) -> None:
    """The same weights with another alpha write other answers, and must not share a digest."""
    one = adapter("one", lora, own).variant
    two = adapter("two", altered(lora, tmp_path / "b", lora_alpha=64), own).variant
    three = adapter("three", altered(lora, tmp_path / "c", use_rslora=True), own).variant
    assert len({one.digest, two.digest, three.digest}) == 3


def test_adapters_of_unknown_settings_are_never_paired_as_one_recipe(
    own: Path, lora: Path, tmp_path: Path
) -> None:
    one = adapter("one", lora, own, TrainedOn(f"{NAME}@1", NAME, 1)).variant
    two = adapter("two", altered(lora, tmp_path / "b", lora_alpha=64), own, TrainedOn(f"{NAME}@2", NAME, 2))
    with pytest.raises(ConfigurationError, match="nothing pairs"):
        pair([one, one], [two.variant], by_recipe=True)
    assert "trained elsewhere one -> two" in pair([one], [two.variant], by_recipe=True)[0].also_changed


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "it is PROMPT_TUNING, and only LORA can be worn"),
        ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4' would change the base"),
        ({"lora_alpha": None, "peft_type": None}, "it is None, and only LORA can be worn"),
    ],
)
def test_what_is_no_plain_lora_is_refused(
    own: Path, lora: Path, tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        adapter("old", altered(lora, tmp_path / "b", **config), own)
    assert registered(warehouse(own)) == {}


def test_pickled_missing_and_cut_weights_are_refused(own: Path, lora: Path, tmp_path: Path) -> None:
    folder = altered(lora, tmp_path / "b")
    weights = folder / adapters.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ConfigurationError, match="cut short"):
        adapter("old", folder, own)
    weights.write_bytes(b"PK\x03\x04 not at all")
    with pytest.raises(ConfigurationError, match="is no safetensors file"):
        adapter("old", folder, own)
    weights.unlink()
    with pytest.raises(ConfigurationError, match=r"has no adapter_model\.safetensors"):
        adapter("old", folder, own)
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ConfigurationError, match="pickled; save them as safetensors"):
        adapter("old", folder, own)
    (folder / adapters.CONFIG).unlink()
    with pytest.raises(ConfigurationError, match=r"has no adapter_config\.json"):
        adapter("old", folder, own)


def test_an_adapter_of_another_base_is_refused(own: Path, lora: Path) -> None:
    """Narrower by half, and one layer less: sizes and names both tell."""
    from safetensors.numpy import load_file, save_file

    path = own / "results" / "bases" / "tiny" / "model.safetensors"
    whole = load_file(path)
    save_file({key: value for key, value in whole.items() if ".layers.1." not in key}, path)
    with pytest.raises(ConfigurationError, match=r"does not fit tiny.*layers\.1\.\S+ is not in the base"):
        adapter("old", lora, own)
    save_file({k: v[:16] if "q_proj" in k else v for k, v in whole.items()}, path)
    with pytest.raises(
        ConfigurationError, match="is 32 x 32 in the adapter and 16 x 32 in the base, and 1 m"
    ):
        adapter("old", lora, own)
    assert not (own / "results" / "adapters").exists()


def test_a_resized_vocabulary_does_not_fit(own: Path, lora: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = altered(lora, tmp_path / "b")
    tensors = load_file(folder / adapters.WEIGHTS)
    embedding = load_file(own / "results" / "bases" / "tiny" / "model.safetensors")[
        "model.embed_tokens.weight"
    ]
    key = "base_model.model.model.embed_tokens.weight"
    save_file(tensors | {key: embedding}, folder / adapters.WEIGHTS)
    adapters.check_fit(adapters.read_adapter(folder), resolve_base("tiny", own))
    save_file(tensors | {key: embedding[:-1].copy()}, folder / adapters.WEIGHTS)
    with pytest.raises(ConfigurationError, match="embed_tokens is"):
        adapters.check_fit(adapters.read_adapter(folder), resolve_base("tiny", own))


def test_a_remark_on_another_base_name(own: Path, lora: Path, tmp_path: Path) -> None:
    folder = altered(lora, tmp_path / "b", base_model_name_or_path="acme/Huge-70B")
    (remark,) = adapter("old", folder, own).remarks
    assert remark.startswith("its config names acme/Huge-70B; sizes fit tiny")
    assert (
        adapter("old", altered(folder, tmp_path / "c", base_model_name_or_path="x/Tiny"), own).remarks == ()
    )


ITS_OWN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("chat_template.jinja", ITS_OWN),
        ("tokenizer_config.json", json.dumps({"chat_template": ITS_OWN})),
        (
            "tokenizer_config.json",
            json.dumps({"chat_template": [{"name": "tools", "template": "x"},
                                          {"name": "default", "template": ITS_OWN}]}),
        ),
    ],
)  # fmt: skip
def test_an_adapter_is_asked_with_the_template_it_brings(
    own: Path, lora: Path, tmp_path: Path, file: str, text: str
) -> None:
    """It was trained to see these marks: the base's would ask it for something it never learnt."""
    plain = adapter("plain", altered(lora, tmp_path / "a", lora_alpha=16), own).variant
    folder = altered(lora, tmp_path / "b")
    (folder / file).write_text(text)
    found = adapter("old", folder, own)
    assert found.remarks[-1].startswith("it brings a chat template of its own (")
    assert found.variant.record["template"] == {"source": ITS_OWN}
    base = resolve_base("tiny", own)
    check_adapter(found.variant, base, own)
    one, other = (
        renderer(base, template_of(variant.record))([{"role": "user", "content": "Why?"}])
        for variant in (plain, found.variant)
    )
    assert other == "[user] Why?\n[assistant] "
    assert one != other
    # Options of a suite are for variants whose record states no template.
    assert (
        renderer(base, template_of(found.variant.record), {"enable_thinking": False}).template.options == {}
    )
    assert found.variant.digest != adapter("bare", altered(lora, tmp_path / "c"), own).variant.digest


def test_a_base_without_a_template_is_enough_for_an_adapter_that_brings_one(
    own: Path, lora: Path, tmp_path: Path
) -> None:
    bare = own / "results" / "bases" / "bare"
    shutil.copytree(resolve_base("tiny", own).path, bare)
    (bare / "chat_template.jinja").unlink()
    folder = altered(lora, tmp_path / "b")
    with Run(warehouse(own), "register") as run:
        with pytest.raises(ConfigurationError, match="has no chat template, and the adapter brings none"):
            register_adapter("old", folder, "bare", UNKNOWN, run, own)
        (folder / "chat_template.jinja").write_text(ITS_OWN)
        found = register_adapter("old", folder, "bare", UNKNOWN, run, own).variant
    check_adapter(found, resolve_base("bare", own), own)
    ask = renderer(resolve_base("bare", own), template_of(found.record))
    assert ask([{"role": "user", "content": "Why?"}]) == "[user] Why?\n[assistant] "


def test_the_bases_own_template_beside_an_adapter_is_no_other(own: Path, lora: Path, tmp_path: Path) -> None:
    folder = altered(lora, tmp_path / "b")
    (folder / "chat_template.jinja").write_text(stored_source(resolve_base("tiny", own).path) + "\n")
    found = adapter("old", folder, own)
    assert not any("template" in remark for remark in found.remarks)
    assert "template" not in found.variant.record


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("chat_template.jinja", "{% for m in messages %}", "refuses"),
        ("chat_template.jinja", "{{ raise_exception('no users') }}", "no users"),
        ("tokenizer_config.json", "{", "its chat template cannot be read"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_before_anything_is_registered(
    own: Path, lora: Path, tmp_path: Path, file: str, text: str, fault: str
) -> None:
    folder = altered(lora, tmp_path / "b")
    (folder / file).write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        adapter("old", folder, own)
    assert registered(warehouse(own)) == {}


@pytest.mark.parametrize(
    ("said", "base"),
    [("acme/Tiny", "acme/Tiny"), ("/home/me/models/tiny", "tiny"), ("./out/tiny/", "tiny"),
     ("C:\\m\\tiny", "tiny"), ("tiny", "tiny"), (None, "")],
)  # fmt: skip
def test_a_base_is_known_by_its_name_and_not_by_somebodys_path(
    lora: Path, tmp_path: Path, said: str | None, base: str
) -> None:
    folder = altered(lora, tmp_path / "b", base_model_name_or_path=said)
    assert adapters.read_adapter(folder).says_base == base


# ── names ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "message"),
    [("author", "a control"), ("other:flint", "a control"), ("tiny", "a base"),
     ("marlow@2", "a corpus version"), ("a/b", "use letters")],
)  # fmt: skip
def test_names_that_mean_something_else(own: Path, reference: Reference, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        answers(name, full(reference), own)


def test_a_name_keeps_its_meaning(own: Path, reference: Reference, lora: Path) -> None:
    first = answers("old", full(reference), own).variant
    assert answers("old", full(reference)[::-1], own, TrainedOn("all")).variant.digest == first.digest
    assert registered(warehouse(own))["old"].trained_on == "all"
    with pytest.raises(ConfigurationError, match="'old' is registered already and is something else"):
        answers("old", full(reference)[1:], own)
    with pytest.raises(ConfigurationError, match="something else"):
        adapter("old", lora, own)
    with pytest.raises(ConfigurationError, match="this is variant 'old', registered already"):
        answers("new", full(reference), own)
    assert set(recorded.load(registered(warehouse(own))["old"], own)) == {p.id for p in reference.prompts}


@pytest.mark.parametrize("text", ["all", "unknown", "nothing", "marlow@1"])
def test_what_it_was_trained_on(workspace: Path, text: str) -> None:
    assert trained_on(text, workspace).text == text


@pytest.mark.parametrize(
    ("text", "message"), [("some", "write corpus@N, all"), ("marlow@9", "does not exist")]
)
def test_what_it_cannot_have_been_trained_on(workspace: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        trained_on(text, workspace)


# ── recorded answers ──────────────────────────────────────────────────────────────────────────────


def test_rows_match_by_item_or_by_the_exact_prompt(own: Path, reference: Reference) -> None:
    first, second, third, *_ = reference.prompts
    rows = [
        {"item": first.id, "text": "One."},
        {"prompt": f"{second.text}\n", "response": "Two."},
        {"item": "gone", "prompt": third.text, "answer": "Another reference set's."},
        {"prompt": third.text[:-2], "answer": "Nearly."},
        {"answer": "To nothing."},
    ]
    found = answers("old", rows, own)
    assert recorded.load(found.variant, own) == {first.id: "One.", second.id: "Two."}
    assert [remark.split(" ")[0] for remark in found.remarks] == ["3", "18"]
    kept = [json.loads(line) for line in (own / "results/recorded/old.jsonl").read_text().splitlines()]
    assert {row["item"]: row["prompt"] for row in kept} == {first.id: first.text, second.id: second.text}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"item": "x", "answer": "a"}], "none of 1 rows matches a prompt of marlow; `stylobench show"),
        ([{"item": "x"}], "row 1 has none of answer, response, text"),
        ([{"item": "x", "answer": None}], "row 1: item, prompt and answer must be text"),
        ([{"item": 3, "answer": "a"}], "row 1: item, prompt and answer must be text"),
        ([{"item": "x", "answer": "a", "text": "b"}], "row 1 has two answers: answer and text"),
        ([{"item": "x", "answer": "a"}, {"item": "x", "answer": "half \ud800 of it"}],
         r"row 2 holds half a character \(.ud800\)"),
        ([{"prompt": "\udfff", "answer": "a"}], r"row 1 holds half a character \(.udfff\)"),
        ([], "no rows"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(own: Path, rows: list[Mapping[str, Any]], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        answers("old", rows, own)
    assert not (own / "results" / "recorded").exists()


def test_what_cannot_be_written_leaves_no_part_of_a_file(
    own: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "_half_character", lambda *texts: "")
    rows = [{"item": reference.prompts[0].id, "answer": "\ud800"}]
    with pytest.raises(UnicodeEncodeError):
        answers("old", rows, own)
    assert not list((own / "results").rglob("*.part"))
    assert not (own / "results" / "recorded" / "old.jsonl").exists()


def test_a_prompt_answered_twice_is_refused(own: Path, reference: Reference) -> None:
    first = reference.prompts[0]
    rows = [*full(reference), {"prompt": first.text, "answer": "Again."}]
    with pytest.raises(ConfigurationError, match=f"rows 1 and 21 both answer {first.id}"):
        answers("old", rows, own)


def test_answers_changed_after_registering_are_refused(own: Path, reference: Reference) -> None:
    variant = answers("old", full(reference), own).variant
    path = recorded.path_of("old", own)
    path.write_text(path.read_text().replace("The end of it.", "Better.", 1))
    with pytest.raises(ConfigurationError, match=r"old\.jsonl was changed after it was registered"):
        recorded.load(variant, own)
    path.unlink()
    with pytest.raises(MissingPrerequisiteError, match="register it again"):
        recorded.load(variant, own)


# ── recorded answers through run, score and compare ───────────────────────────────────────────────


def bench(workspace: Path, variants: list[Variant]) -> Any:
    asked = open_ask(workspace, max_tokens=80)
    everybody = [*variants, *control_variants(asked.reference)]
    outcome = compute(asked, everybody, workspace, scripted(workspace))
    with Run(warehouse(workspace), "score") as note:
        score(asked, everybody, note)
    return asked, outcome, read_table(asked, everybody, warehouse(workspace))


def test_recorded_answers_are_scored_like_any_other(own: Path, reference: Reference) -> None:
    author = {p.id: p.reference for p in reference.prompts}
    other = {p.id: reference.others["thorne"][n].text for n, p in enumerate(reference.prompts)}
    pasted = {p.id: reference.train[n].text for n, p in enumerate(reference.prompts)}
    pasted[reference.prompts[0].id] = ""
    rows = {"good": author, "foreign": other, "pasted": pasted}
    made = {
        name: answers(
            name, [{"item": i, "answer": f"<think>hm</think>{a}"} for i, a in said.items()], own
        ).variant
        for name, said in rows.items()
    }
    asked, outcome, table = bench(own, list(made.values()))
    assert (outcome.computed, dict(outcome.unanswered)) == (0, {})
    stored = warehouse(own).read("responses", engine="recorded")
    assert len(stored) == 60
    assert set(stored["reasoning"]) == {"hm"}
    # Cut as a model's would be: 80 tokens are 70 words.
    lengths = stored["text"].str.split().str.len()
    assert lengths.max() == 70
    assert set(lengths[stored["finish"] == "length"]) == {70}
    assert "likelihoods" not in warehouse(own).versions()
    by_author = [table.of("good", "authorship_logit")[p.id] for p in asked.prompts]
    by_thorne = [table.of("foreign", "authorship_logit")[p.id] for p in asked.prompts]
    assert sum(by_author) / 20 > sum(by_thorne) / 20 + 1
    assert sum(table.of("pasted", "copied").values()) >= 19
    assert math.isnan(table.of("pasted", "authorship_logit")[asked.prompts[0].id])
    found = compare(asked, pair([made["foreign"]], [made["good"]], by_recipe=False), table)
    verdicts = {v.metric: v.outcome for v in found.verdicts}
    assert verdicts["authorship_logit"] == "better"
    assert verdicts["bits_per_byte"] == "not comparable"
    assert found.sentence.endswith(
        "How foreign and good answered was recorded elsewhere and is not known here."
    )
    again = compute(asked, list(made.values()), own, scripted(own))
    assert again.computed == 0
    assert len(warehouse(own).read("responses", engine="recorded")) == 60


def test_missing_answers_are_counted_and_cannot_be_compared(own: Path, reference: Reference) -> None:
    whole = answers("whole", full(reference), own).variant
    part = answers("part", full(reference)[3:], own).variant
    asked, outcome, table = bench(own, [whole, part])
    assert dict(outcome.unanswered) == {"part": 3}
    found = compare(asked, pair([whole], [part], by_recipe=False), table)
    logit = next(v for v in found.verdicts if v.metric == "authorship_logit")
    assert (logit.outcome, logit.note) == ("not comparable", "part lacks 3 of 20")
    assert found.exit_code == 4


def test_likelihoods_measured_before_the_truth_was_told_are_void(own: Path) -> None:
    asked, _, table = bench(own, [BASE, ONE])
    assert table.of(ONE.name, "bits_per_byte")
    seen = dataclasses.replace(ONE, trained_on="all")
    told = read_table(asked, [BASE, seen], warehouse(own))
    assert not told.of(ONE.name, "bits_per_byte")
    assert not told.of(ONE.name, "author_specific_gain")
    assert told.of(ONE.name, "words") == table.of(ONE.name, "words") != {}
    assert told.of(BASE.name, "bits_per_byte") == table.of(BASE.name, "bits_per_byte")
