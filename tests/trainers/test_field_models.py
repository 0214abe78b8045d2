"""The field's architectures, tiny and random: trained two steps under their real templates, then asked.

Each costs one child process of the trainer (some ten seconds of imports); everything after runs here.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from field_models import BY_NAME, FieldModel, build_field_model
from scripted_bench import open_ask
from tiny_llama import SENTENCES

from harness import text
from harness.metrics.validity import is_leak
from harness.models import Model
from harness.models.adapters import read_adapter
from harness.models.bases import Base, resolve_base
from harness.models.hf import HFModel
from harness.models.parsers import UNCLOSED
from harness.run import run
from harness.store import Run, Store
from harness.training.chat import IGNORED, decode
from harness.training.examples import load_examples, prepare_examples, split_first_sentence
from harness.training.launch import Lora, TrainingSpec, train
from harness.types import Decoding, Generation, GenerationRequest, Passage, Variant
from harness.variants import adapter_digest, check_adapter

TRAINER = Path(__file__).parents[2] / "trainers" / "peft_lora.py"
SYSTEM = "You write state papers."
THOUGHT, SAID = "Hm. The user wants prose.", "We hold them in trust. It must last."

SPOKEN = {
    "smollm2": SAID,
    "llama-3.2": SAID,
    "qwen3": f"<think>\n{THOUGHT}\n</think>\n\n{SAID}",
    "gpt-oss": f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{SAID}",
}
"""What each would write if it had learnt to, up to the mark it stops at."""


class Trained(NamedTuple):
    model: FieldModel
    base: Base
    spec: TrainingSpec
    record: dict[str, Any]
    variant: Variant
    passages: list[Passage]


def is_scripted(item: str) -> bool:
    return int(text.digest(item, 1), 16) % 2 == 1


class Speaks:
    """The real model, drawing every answer; half of them are then replaced by what a trained one would write,
    as token ids, so that they come back the way that drawn ones do."""

    def __init__(self, model: HFModel, script: str) -> None:
        self.model, self.engine = model, model.engine
        self.ids = model.tokenizer(script, add_special_tokens=False)["input_ids"]
        self.drawn: dict[str, str] = {}

    def wear(self, adapter: Path | None) -> None:
        self.model.wear(adapter)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        answers = self.model.generate(requests, decoding)
        for place, request in enumerate(requests):
            if is_scripted(request.item):
                ended = [*self.ids, self.model._stops[0], *self.ids[:3]]
                answers[place] = self.model._generation(ended, 0.0)
            else:
                self.drawn[request.item] = answers[place].text
        return answers

    def loglikelihood(self, *arguments: Any) -> Any:
        return self.model.loglikelihood(*arguments)

    def close(self) -> None:
        self.model.close()


@pytest.fixture(scope="module", params=["smollm2", "llama-3.2", "qwen3", "gpt-oss"])
def trained(request: pytest.FixtureRequest, small_author: Path, tmp_path_factory: Any) -> Trained:
    model = BY_NAME[request.param]
    workspace = tmp_path_factory.mktemp(model.name) / "w"
    shutil.copytree(small_author, workspace)
    build_field_model(model, workspace / "results" / "bases" / model.name)
    base = resolve_base(model.name, workspace)
    passages = []
    for n in range(8):
        words = f"{SENTENCES[n % 6]} {SENTENCES[(n + n // 6 + 1) % 6]} Number {n}."
        split = "validation" if n == 7 else "train"
        passages.append(Passage("1901", n, "body", words, text.count_words(words), text.digest(words), split))
    examples = prepare_examples(
        passages,
        base_path=base.path,
        base_digest=base.digest,
        system=SYSTEM,
        style="completion",
        max_length=512,
        seed=0,
        out=workspace / "results" / "examples",
        template=model.spoken,
    )
    adapter = workspace / "results" / "adapters" / model.name
    spec = TrainingSpec(
        base_path=str(base.path), base_name=base.name, base_digest=base.digest, examples=str(examples),
        out=str(adapter), corpus="small", version=1, lora=Lora(r=4, alpha=8), steps=2, batch=2,
        seq_len=512, lr=0.01, warmup_steps=0, seed=3, dtype="float32", system=SYSTEM,
        sample_prompts=("Go on.",), template=model.spoken.record(),
    )  # fmt: skip
    record = train(spec, trainer=TRAINER)
    found = read_adapter(adapter / "adapter")
    variant = Variant(
        name=f"{model.name}@1",
        kind="adapter",
        digest=adapter_digest(base, found.digest, model.spoken.digest),
        base=base.name,
        adapter=str((adapter / "adapter").relative_to(workspace)),
        record=record | {"template": model.spoken.record()},
    )
    check_adapter(variant, base, workspace)
    return Trained(model, base, spec, record, variant, passages)


def test_only_the_answer_is_trained_on(trained: Trained) -> None:
    tokenizer = HFModel(trained.base.path, "float32", "cpu").tokenizer
    by_digest = {each.digest: each for each in trained.passages}
    made = load_examples(Path(trained.spec.examples)).examples
    assert len(made) == 8
    end = trained.model.eos
    for example in made:
        target = decode(tokenizer, [label for label in example.labels if label != IGNORED])
        answer = split_first_sentence(by_digest[example.passage].text).rest
        assert target == trained.model.before + answer + end


def test_two_steps_were_taken_and_learnt_from(trained: Trained) -> None:
    assert trained.record["steps"] == 2
    losses = trained.record["validation_loss"]
    assert losses["after"] < losses["before"]


def test_answers_come_back_without_false_leaks_and_reasoning_apart(trained: Trained, tmp_path: Path) -> None:
    workspace = trained.base.path.parents[2]
    spoken = Speaks(HFModel(trained.base.path, "float32", "cpu"), SPOKEN[trained.model.name])
    asked = open_ask(workspace, tasks=("validity", "heldout_in_template"), max_tokens=24,
                     likelihood={"documents": 2})  # fmt: skip

    def load(base: Base, dtype: str) -> Model:
        return spoken

    store = Store(tmp_path)
    with Run(store, "run") as note:
        run(asked, [trained.variant], note, workspace, load=load, engine=spoken.engine)
    answers = store.read("responses").set_index("item")
    scripted = answers[[is_scripted(item) for item in answers.index]]
    assert len(scripted)
    assert set(scripted["text"]) == {SAID}
    thinks = trained.model.name in ("qwen3", "gpt-oss")
    assert set(scripted["reasoning"]) == {THOUGHT if thinks else ""}
    assert set(scripted["finish"]) == {"stop"}
    assert not any(is_leak(answer) for answer in scripted["text"])

    # What the random model really wrote: marks that it drew itself are leaks, and nothing else is.
    assert spoken.drawn
    special = [*trained.model.marks, *trained.model.plain_marks]
    for item, raw in spoken.drawn.items():
        row = answers.loc[item]
        if not any(mark in raw for mark in special):
            assert (row["text"], row["reasoning"]) == (raw.strip(), "")
            assert not is_leak(row["text"])
        elif not row["reasoning"]:
            assert row["text"] == raw.strip() or trained.model.name == "gpt-oss"
        assert row["text"] == "" or not row["reasoning"].startswith(UNCLOSED)
    read = store.read("likelihoods", context="in_template")
    assert len(read) == 2
    assert (read["loglik"] < 0).all()


def test_the_adapter_is_really_on(trained: Trained) -> None:
    workspace = trained.base.path.parents[2]
    HFModel(trained.base.path, "float32", "cpu").wear(workspace / trained.variant.adapter)
