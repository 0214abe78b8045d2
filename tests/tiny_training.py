"""Examples to train a tiny model on, and trainers made to fail on purpose."""

from __future__ import annotations

from pathlib import Path

from tiny_llama import SENTENCES

from harness import text
from harness.training.examples import build_examples, load_tokenizer, write_examples
from harness.types import Passage


def tiny_examples(base: Path, folder: Path) -> Path:
    """Thirteen train and three validation examples of up to 200 tokens; the system prompt is ``Be brief.``"""
    passages = []
    for n in range(16):
        words = f"{SENTENCES[n % 6]} {SENTENCES[(n + n // 6 + 1) % 6]} Number {n}."
        split = "validation" if n >= 13 else "train"
        passages.append(Passage("1901", n, "body", words, text.count_words(words), text.digest(words), split))
    examples = build_examples(
        passages,
        tokenizer=load_tokenizer(base),
        system="Be brief.",
        style="completion",
        max_length=200,
        seed=0,
    )
    return write_examples(examples, folder)


def altered_trainer(folder: Path, trainer: Path, alteration: str) -> Path:
    """A program that runs ``alteration`` and then the trainer, under the trainer's name."""
    source = f"""
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location({trainer.stem!r}, {str(trainer)!r})
trainer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(trainer)
{alteration}
sys.exit(trainer.start(sys.argv[1:], trainer.run))
"""
    path = folder / f"altered_{text.digest(alteration, 8)}.py"
    path.write_text(source)
    return path
