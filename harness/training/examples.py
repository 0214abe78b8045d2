"""Passages -> training examples, tokenised, masked and ordered once, kept under their digest.

passages --build_examples--> ExampleSet --write_examples--> OUT/<digest>/examples.parquet, examples.json

Every trainer reads the same file, so two backends given one recipe see identical data in one order.
How a passage becomes a conversation is told in ``styles``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import text
from harness.errors import ConfigurationError, StylobenchError
from harness.models.hf import stop_ids
from harness.training.chat import Masked, decode, detect_turn, mask_response, shorten
from harness.training.checkpoints import write_json
from harness.training.lint import check_example
from harness.training.styles import CONTINUATION, Style, drafts, messages_of
from harness.training.styles import continuation_prompt as continuation_prompt
from harness.training.styles import split_first_sentence as split_first_sentence
from harness.training.templates import OWN, Template
from harness.types import Passage

MAX_CUT = 0.01
"""The share of target tokens that may fall beyond the maximum length before the set is refused."""


RULES = 2
"""Raised whenever the same inputs would be rendered, masked or refused otherwise than before."""


@dataclass(frozen=True)
class Example:
    """One conversation as trained on; ``labels`` are -100 outside the answer. ``passage``: its digest."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    split: str
    passage: str


@dataclass(frozen=True)
class ExampleSet:
    """Examples in training order. ``digest``: sha256 over ids, labels, splits and their order.

    ``n_target`` and ``n_cut`` count the target tokens kept and those beyond ``max_length``.
    """

    examples: tuple[Example, ...]
    digest: str
    style: str
    system: str
    max_length: int
    seed: int
    n_target: int
    n_cut: int

    def count(self, split: str) -> int:
        """How many examples belong to a split."""
        return sum(example.split == split for example in self.examples)


def build_examples(
    passages: Sequence[Passage],
    *,
    tokenizer: Any,
    system: str,
    style: Style,
    max_length: int,
    seed: int,
    questions: Mapping[str, Sequence[str]] | None = None,
    template: Template = OWN,
    stops: Collection[int] = (),
) -> ExampleSet:
    """One example for each train or validation passage, or for each of its questions where the style asks.

    ``questions``: passage digest -> what is asked, for ``qa`` and ``scene``. ``stops``: ids at which this
    base stops generating; without, the tokenizer's end of text. The order is that of ``styles.drafts`` and
    is the training order. Held-out and guard passages are never made into examples.
    Raises ConfigurationError where nothing is left to train on, where a passage lacks its question, where the
    chat template cannot be masked, where an example fails the lint, or where more than 1 % of the target
    tokens lie beyond ``max_length``.
    """
    made = drafts(passages, style, questions or {}, seed)
    if not any(draft.passage.split == "train" for draft in made):
        raise ConfigurationError("the corpus has no train passages, so there is nothing to train on")

    stops = frozenset(stops or (tokenizer.eos_token_id,))
    turn = detect_turn(tokenizer, template, messages_of(made[0], style, system))
    masked = []
    for draft in made:
        messages = messages_of(draft, style, system)
        each = mask_response(tokenizer, messages, max_length, template=template, turn=turn, stops=stops)
        check_example(tokenizer, each, messages[-1]["content"], turn, stops)
        masked.append(each)
    n_target, n_cut = sum(each.n_target for each in masked), sum(each.n_cut for each in masked)
    if n_cut > MAX_CUT * (n_target + n_cut):
        n_short = sum(each.n_cut > 0 for each in masked)
        longest = max(masked, key=_full_length)
        share = n_cut / (n_target + n_cut)
        raise ConfigurationError(
            f"{n_cut:,} of {n_target + n_cut:,} target tokens ({share:.1%}), in {n_short} of {len(masked)} "
            f"examples, lie beyond seq_len {max_length}; use shorter passages or seq_len "
            f"{_full_length(longest)}. The longest, up to the cut:\n"
            f"{shorten(decode(tokenizer, longest.input_ids))}"
        )
    examples = tuple(
        Example(tuple(each.input_ids), tuple(each.labels), draft.passage.split, draft.passage.digest)
        for draft, each in zip(made, masked, strict=True)
        if each.n_target  # an example cut back to its prompt teaches nothing
    )
    return ExampleSet(examples, examples_digest(examples), style, system, max_length, seed, n_target, n_cut)


def write_examples(examples: ExampleSet, out: Path) -> Path:
    """Write ``<out>/<digest>`` and return it; a folder that is there already holds the same and is kept."""
    import pyarrow
    import pyarrow.parquet

    folder = out / examples.digest
    if folder.is_dir():
        return folder
    out.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".examples-", dir=out))
    try:
        ids = pyarrow.list_(pyarrow.int32())
        columns = {
            "input_ids": pyarrow.array([example.input_ids for example in examples.examples], ids),
            "labels": pyarrow.array([example.labels for example in examples.examples], ids),
            "split": pyarrow.array([example.split for example in examples.examples], pyarrow.string()),
            "passage": pyarrow.array([example.passage for example in examples.examples], pyarrow.string()),
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), building / "examples.parquet")
        facts = {
            name: getattr(examples, name) for name in ("digest", "style", "system", "max_length", "seed")
        }
        facts |= {"n_target": examples.n_target, "n_cut": examples.n_cut}
        facts |= {"train": examples.count("train"), "validation": examples.count("validation")}
        write_json(building / "examples.json", facts)
        building.chmod(0o755)
        try:
            building.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def load_examples(folder: Path) -> ExampleSet:
    """Read an artefact back. Raises StylobenchError where the file does not have the digest it states."""
    import pyarrow.parquet

    facts = json.loads((folder / "examples.json").read_text(encoding="utf-8"))
    rows = pyarrow.parquet.read_table(folder / "examples.parquet").to_pylist()
    examples = tuple(
        Example(tuple(row["input_ids"]), tuple(row["labels"]), row["split"], row["passage"]) for row in rows
    )
    if examples_digest(examples) != facts["digest"]:
        raise StylobenchError(f"{folder / 'examples.parquet'} is damaged; delete {folder} and train again")
    return ExampleSet(
        examples=examples,
        **{
            name: facts[name]
            for name in ("digest", "style", "system", "max_length", "seed", "n_target", "n_cut")
        },
    )


def prepare_examples(
    passages: Sequence[Passage],
    *,
    base_path: Path,
    base_digest: str,
    system: str,
    style: Style,
    max_length: int,
    seed: int,
    out: Path,
    questions: Mapping[str, Sequence[str]] | None = None,
    template: Template = OWN,
) -> Path:
    """The artefact folder for these inputs, built on first use and found again without a tokenizer.

    ``<out>/requests/<digest of the inputs>.json`` remembers which folder the inputs led to, so that a second
    training run starts without importing transformers. Errors are those of ``build_examples``.
    """
    inputs: dict[str, Any] = {
        "passages": sorted([passage.digest, passage.split] for passage in passages),
        "base": base_digest,
        "wording": CONTINUATION,
        "rules": RULES,
        "settings": [system, style, max_length, seed],
    }
    if style != "completion":
        inputs["questions"] = sorted([name, *each] for name, each in (questions or {}).items())
    if template.digest:
        inputs["template"] = template.digest
    asked = text.digest(inputs)
    request = out / "requests" / f"{asked[:32]}.json"
    if request.is_file():
        folder = out / str(json.loads(request.read_text(encoding="utf-8"))["examples"])
        if folder.is_dir():
            return folder
    tokenizer = load_tokenizer(base_path)
    examples = build_examples(
        passages,
        tokenizer=tokenizer,
        system=system,
        style=style,
        max_length=max_length,
        seed=seed,
        questions=questions,
        template=template,
        stops=stop_ids(base_path, tokenizer),
    )
    folder = write_examples(examples, out)
    write_json(request, {"examples": folder.name})
    return folder


def load_tokenizer(base_path: Path) -> Any:
    """The base's tokenizer, from its folder alone."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base_path, local_files_only=True, trust_remote_code=False)


def _full_length(masked: Masked) -> int:
    return len(masked.input_ids) + masked.n_cut


def examples_digest(examples: Sequence[Example]) -> str:
    """What a set of examples is known by: sha256 of their ids, labels, splits and passages, in order."""
    running = hashlib.sha256()
    for example in examples:
        running.update(
            json.dumps([example.input_ids, example.labels, example.split, example.passage]).encode("utf-8")
        )
    return running.hexdigest()
