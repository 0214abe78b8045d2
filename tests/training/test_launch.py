"""The launcher against small programs that need no model: how a child is started, heard and ended."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigurationError, MissingPrerequisiteError, StylobenchError
from harness.training.launch import Lora, TrainingSpec, train
from harness.training.watching import EVENTS, read_events, standing

GOOD = """
import json, pathlib, sys
from harness.training.launch import TrainingSpec
spec = TrainingSpec.from_json(json.loads(pathlib.Path(sys.argv[1]).read_text()))
out = pathlib.Path(spec.out)
print("a line that is no event")
print(json.dumps({"event": "step", "step": 1, "steps": spec.steps}))
(out / "adapter").mkdir(exist_ok=True)
(out / "runs").open("a").write("x")
(out / "record.json").write_text(json.dumps({"spec_digest": spec.digest(), "steps": spec.steps}))
"""

FAILING = """
import sys
for number in range(30):
    print("line", number, file=sys.stderr)
print("the disk is full", file=sys.stderr)
sys.exit(2)
"""

WAITING = """
import json, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(json.dumps({"event": "start", "child": child.pid}), flush=True)
time.sleep(60)
"""


def program(folder: Path, source: str) -> Path:
    path = folder / "fake_trainer.py"
    path.write_text(source)
    return path


def make_spec(out: Path, **changed: Any) -> TrainingSpec:
    spec = TrainingSpec(
        base_path="base",
        base_name="tiny",
        base_digest="b",
        examples="examples/0123",
        out=str(out),
        corpus="roosevelt",
        version=2,
        lora=Lora(),
        steps=3,
    )
    return dataclasses.replace(spec, **changed)


def test_events_and_record_come_back_and_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "out")
    trainer = program(tmp_path, GOOD)
    heard: list[dict[str, Any]] = []
    record = train(spec, trainer=trainer, on_event=heard.append)
    assert record == {"spec_digest": spec.digest(), "steps": 3}
    assert heard == [{"event": "step", "step": 1, "steps": 3}]
    written = read_events(tmp_path / "out" / EVENTS)
    assert [event["event"] for event in written] == ["launch", "step", "end"]
    assert (written[0]["process"], written[-1]["status"]) == (os.getpid(), "done")
    assert train(spec, trainer=tmp_path / "gone.py") == record
    assert (tmp_path / "out" / "runs").read_text() == "x"
    train(dataclasses.replace(spec, seed=1), trainer=trainer)
    assert (tmp_path / "out" / "runs").read_text() == "xx"


def test_failure_quotes_the_end_of_the_log_and_says_where_it_is(tmp_path: Path) -> None:
    spec = make_spec(tmp_path / "out")
    with pytest.raises(StylobenchError) as caught:
        train(spec, trainer=program(tmp_path, FAILING))
    message = str(caught.value)
    assert "exit code 2" in message
    assert message.endswith("the disk is full")
    assert "line 29" in message
    assert "line 5\n" not in message
    assert str(tmp_path / "out" / "trainer.log") in message
    assert standing(read_events(tmp_path / "out" / EVENTS)).state == "failed"


def test_a_full_disk_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    """The log may lie on that very disk, so the exit code says it."""
    full = program(tmp_path, "import errno, sys; sys.exit(errno.ENOSPC)")
    with pytest.raises(MissingPrerequisiteError, match=r"^training with \w+: the disk of .* is full; "):
        train(make_spec(tmp_path / "out"), trainer=full)


def test_ending_without_a_record_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(StylobenchError, match="without a record"):
        train(make_spec(tmp_path / "out"), trainer=program(tmp_path, "pass"))


def test_interruption_ends_the_child_and_what_it_started(tmp_path: Path) -> None:
    started: list[int] = []

    def interrupt(event: dict[str, Any]) -> None:
        started.append(event["child"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_spec(tmp_path / "out"), trainer=program(tmp_path, WAITING), on_event=interrupt)
    deadline = time.monotonic() + 5
    while runs(started[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(started[0])
    assert standing(read_events(tmp_path / "out" / EVENTS)).state == "interrupted"


def runs(pid: int) -> bool:
    """Whether a process lives; one that has ended but was not yet collected (state Z) does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


TELLS_ITS_CARDS = """
import json, os, pathlib, sys
spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
print(json.dumps({"event": "cards", "seen": os.environ.get("CUDA_VISIBLE_DEVICES")}))
"""


@pytest.mark.parametrize(
    ("mine", "devices", "seen"),
    [
        ("", (1,), "1"),
        ("4,6", (1,), "6"),
        ("GPU-a,GPU-b", (1,), "GPU-b"),
        ("4,6", (), "4"),
        (None, (), "0"),
        ("", (), ""),
        (",", (), ","),
    ],
)
def test_a_device_counts_among_those_that_may_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: str | None, devices: tuple[int, ...], seen: str
) -> None:
    """Where none is named it is the first, not all: a trainer that sees several spreads over them."""
    if mine is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mine)
    heard: list[dict[str, Any]] = []
    with pytest.raises(StylobenchError, match="without a record"):
        train(
            make_spec(tmp_path / "out", devices=devices),
            trainer=program(tmp_path, TELLS_ITS_CARDS),
            on_event=heard.append,
        )
    assert heard == [{"event": "cards", "seen": seen}]


def test_missing_trainer_names_the_nearest(tmp_path: Path) -> None:
    program(tmp_path, GOOD)
    with pytest.raises(MissingPrerequisiteError, match="did you mean 'fake_trainer'"):
        train(make_spec(tmp_path / "out"), trainer=tmp_path / "fake_trainr.py")
    assert not (tmp_path / "out").exists()


def test_missing_interpreter_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPrerequisiteError, match="interpreter"):
        train(
            make_spec(tmp_path / "out"),
            trainer=program(tmp_path, GOOD),
            interpreter=tmp_path / "bin" / "python",
        )


def test_digest_ignores_places_and_follows_what_decides(tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    moved = dataclasses.replace(spec, out="x", base_path="y", examples="z/0123", save_steps=7)
    assert moved.digest() == spec.digest()
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"lr": 0.1},
        {"lora": Lora(r=8)},
        {"base_digest": "c"},
        {"steps": 4},
    ]
    changes += [{"examples": "examples/4567"}, {"version": 3}, {"system": "x"}]
    assert len({dataclasses.replace(spec, **change).digest() for change in changes} | {spec.digest()}) == 9


def test_spec_survives_json(tmp_path: Path) -> None:
    import json

    spec = make_spec(tmp_path, lora=Lora(targets=("q_proj", "v_proj")), sample_prompts=("a", "b"))
    assert TrainingSpec.from_json(json.loads(json.dumps(dataclasses.asdict(spec)))) == spec


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"steps": None}, "steps or epochs"),
        ({"epochs": 1.0}, "steps or epochs"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"lora": Lora(r=0)}, r"lora\.r must be at least 1"),
        ({"dtype": "bfloat61"}, "did you mean 'bfloat16'"),
        ({"steps": None, "epochs": 0.0}, "epochs must be above 0"),
    ],
)
def test_specs_no_trainer_could_use(tmp_path: Path, changed: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_spec(tmp_path, **changed)


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'seed'"):
        TrainingSpec.from_json(dataclasses.asdict(make_spec(tmp_path)) | {"sed": 1})
