"""Tasks of one's own in lm-eval's format, one for each kind of request, and some that must be refused."""

from __future__ import annotations

from pathlib import Path

DATA = """\
from datasets import Dataset

LANDS = ["Norrland", "Skane", "Dalarna", "Gotland", "Halland", "Blekinge", "Uppland", "Bohuslan"]


def _rows(n, first=0):
    return [
        {"n": i, "land": LANDS[i % 8], "right": (i * 5) % 3,
         "towns": [f"Port {LANDS[(i + k) % 8]}, the {k + i % 4}th" + " of the Nation" * k for k in range(3)]}
        for i in range(first, first + n)
    ]


def towns(**_):
    return {"train": Dataset.from_list(_rows(9, 100)), "test": Dataset.from_list(_rows(40))}


def judge(doc, results):
    return {"long": float(len(results[0]) > doc["n"]), "length": len(results[0])}


def fail(doc, results):
    raise RuntimeError("no such word list\\nsecond line")
"""
MORE = """\
import json
import random
from pathlib import Path

from datasets import Dataset

LANDS = ["Norrland", "Skane", "Dalarna", "Gotland"]


def _rows(n):
    return [
        {"n": i, "land": LANDS[i % 4], "right": i % 3, "towns": [f"Port {i} {k}" for k in range(3)]}
        for i in range(n)
    ]


def read(**_):
    lands = json.loads(Path(__file__).with_name("lands.json").read_text())
    return {"test": Dataset.from_list([{"land": land} for land in lands])}


def shuffled(**_):
    rows = _rows(20)
    for row in rows:
        random.shuffle(row["towns"])
    return {"train": Dataset.from_list(_rows(9)), "test": Dataset.from_list(rows)}


def plain(doc, results):
    return {"long": 1.0, "length": 1}


def mutate(doc, results):
    doc["towns"].pop()
    return {"left": len(doc["towns"]), "length": 1}


def helper(text):
    return len(text) > 5


def by_helper(doc, results):
    return {"long": float(helper(results[0])), "length": 1}


def quit_(*_, **__):
    raise SystemExit(0)


def aggregate(items):
    return 0.5
"""
CHOICE = """\
task: towns
custom_dataset: !function data.towns
output_type: multiple_choice
training_split: train
test_split: test
fewshot_split: train
num_fewshot: 2
doc_to_text: "Which town keeps the law of {{land}}, year {{n}}?\\nTown:"
doc_to_target: right
doc_to_choice: towns
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: brier_score, aggregation: brier_score, higher_is_better: true}
metadata: {version: 1.0}
"""
WORDS = """\
task: last_word
custom_dataset: !function data.towns
output_type: loglikelihood
test_split: test
doc_to_text: "The farmer and the man of business of {{land}} rise or fall  "
doc_to_target: "together"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
metadata: {version: 2.0}
"""
ROLLING = """\
task: prose
custom_dataset: !function data.towns
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{towns | join('. ') }} {{ 'A navy that is not kept ready is a burden. ' * (4 + n) }}"
metric_list:
  - {metric: word_perplexity}
  - {metric: bits_per_byte}
metadata: {version: 1.0}
"""
ANSWERS = """\
task: answers
custom_dataset: !function data.towns
output_type: generate_until
test_split: test
doc_to_text: "Continue: {{land}} {{n}}"
doc_to_target: "x"
process_results: !function data.judge
generation_kwargs: {until: [" t", "e"], max_gen_toks: 12, do_sample: false}
filter_list:
  - {name: whole, filter: [{function: take_first}]}
  - {name: strict, filter: [{function: regex, regex_pattern: "([a-z]+)"}, {function: take_first}]}
metric_list:
  - {metric: long, aggregation: mean, higher_is_better: true}
  - {metric: length, aggregation: mean, higher_is_better: false}
metadata: {version: 1.0}
"""
BROKEN = ANSWERS.replace("task: answers", "task: broken").replace("data.judge", "data.fail")
UNSAFE = CHOICE.replace("task: towns", "task: runs_code") + "unsafe_code: true\n"
HUB = """\
task: from_the_hub
dataset_path: nobody/no_such_dataset_of_ours
output_type: loglikelihood
test_split: test
doc_to_text: "{{text}}"
doc_to_target: "x"
metric_list: [{metric: acc}]
metadata: {version: 1.0}
"""


def write_tasks(workspace: Path) -> None:
    """All of them under the workspace's ``tasks/own``."""
    folder = workspace / "tasks" / "own"
    folder.mkdir(parents=True)
    (folder / "data.py").write_text(DATA)
    files = {"towns": CHOICE, "last_word": WORDS, "prose": ROLLING, "answers": ANSWERS, "broken": BROKEN,
             "unsafe": UNSAFE, "hub": HUB}  # fmt: skip
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
