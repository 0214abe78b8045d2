from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli import invoke
from harness.training.watching import EVENTS, append_event, follow, newest, read_events, standing

LAUNCH = {"event": "launch", "process": os.getpid()}
START = {"event": "start", "step": 0, "steps": 60, "resumed": False}


def step(n: int, **more: Any) -> dict[str, Any]:
    facts = {"loss": 3.25, "seconds": 3.0 * n, "tokens_per_second": 410.0, "memory_gb": 2.9}
    return {"event": "step", "step": n, "steps": 60, **facts, **more}


def test_a_run_is_followed_from_launch_to_end() -> None:
    assert standing([]).state == "starting"
    assert standing([LAUNCH, START]).state == "training"
    now = standing([LAUNCH, START, step(20), {"event": "look", "step": 20, "loss": 3.5}])
    assert (now.step, now.steps, now.loss, now.validation) == (20, 60, 3.25, 3.5)
    assert now.left == pytest.approx(120.0)  # 3 s a step, 40 to go
    assert math.isnan(standing([LAUNCH, START]).left)
    assert standing([LAUNCH, START, step(60), {"event": "end", "status": "done"}]).ended


def test_a_new_launch_begins_anew_and_says_where_it_went_on() -> None:
    again = {"event": "start", "step": 40, "steps": 60, "resumed": True}
    now = standing([LAUNCH, START, step(45), {"event": "end", "status": "interrupted"}, LAUNCH, again])
    assert (now.state, now.step, now.note) == ("training", 40, "went on from step 40")
    assert math.isnan(now.loss)


def test_a_retry_says_what_was_changed() -> None:
    retry = {"event": "retry", "because": "out of memory", "changed": "batch 4 -> 2"}
    assert standing([LAUNCH, START, retry]).note == "out of memory: batch 4 -> 2"


def test_a_line_still_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    append_event(tmp_path, LAUNCH)
    with (tmp_path / EVENTS).open("a") as file:
        file.write('{"event": "sta')
    assert [event["event"] for event in read_events(tmp_path / EVENTS)] == ["launch"]


def test_following_sees_what_comes_and_stops_at_the_end(tmp_path: Path) -> None:
    append_event(tmp_path, LAUNCH)

    def tell() -> None:
        for event in (START, step(1), step(2), {"event": "end", "status": "done"}):
            time.sleep(0.15)
            append_event(tmp_path, event)

    teller = threading.Thread(target=tell)
    teller.start()
    seen = list(follow(tmp_path / EVENTS, pause=0.02))
    teller.join()
    assert [now.state for now in seen] == ["starting", "training", "training", "training", "done"]
    assert [now.step for now in seen] == [0, 0, 1, 2, 2]


def test_a_process_that_is_no_more_ends_the_watch(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    append_event(tmp_path, {"event": "launch", "process": child.pid})
    append_event(tmp_path, START)
    assert [now.state for now in follow(tmp_path / EVENTS)] == ["gone"]


def test_the_run_that_spoke_last_is_the_newest(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    for place, name in enumerate(("second", "first")):
        (tmp_path / name).mkdir()
        append_event(tmp_path / name, LAUNCH)
        os.utime(tmp_path / name / EVENTS, (1000 - place, 1000 - place))
    assert newest(tmp_path) == tmp_path / "second" / EVENTS


def test_watch_prints_a_line_and_fails_with_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trainers").mkdir()
    out = tmp_path / "results" / "adapters" / "small@1"
    out.mkdir(parents=True)
    here = ["-C", str(tmp_path), "watch"]
    assert invoke(here) == 5
    assert "nothing has been trained here yet" in capsys.readouterr().err
    for event in (LAUNCH, START, step(20)):
        append_event(out, event)
    assert invoke([*here, "--once"]) == 0
    said = "small@1  training, step 20 of 60, loss 3.250, 410 tokens/s, 2.9 GB, 2 min left\n"
    assert capsys.readouterr().out == said
    append_event(out, {"event": "end", "status": "failed"})
    assert invoke([*here, "small@1"]) == 1
    assert capsys.readouterr().out.startswith("small@1  failed, step 20 of 60")
    assert invoke([*here, "smal@1"]) == 5
    assert "did you mean 'small@1'" in capsys.readouterr().err


def test_events_are_lines_of_json_with_the_time(tmp_path: Path) -> None:
    append_event(tmp_path, START)
    (line,) = (tmp_path / EVENTS).read_text().splitlines()
    assert json.loads(line)["at"] == pytest.approx(time.time(), abs=60)
