"""A model in a child process: requests and answers as JSON lines over pipes.

    harness  --{"call": "generate", "requests": [...]}-->  python -m harness.models.child  (torch lives here)
             <--{"result": [...]} or {"error": "..."}----

The child may have its own interpreter (``[interpreters] hf`` in stylobench.toml); its memory comes
back when it ends, and a crash leaves the harness alive to say what happened. What libraries print goes to
stderr, so that nothing but answers is ever on the pipe.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from harness.decodings import make_decoding
from harness.errors import (
    EXIT_CONFIGURATION,
    EXIT_MISSING,
    ConfigurationError,
    MissingPrerequisiteError,
    StylobenchError,
)
from harness.models.tokens import TokenPair, TokenPrompt, TokenScore
from harness.shelves import python_path
from harness.types import Decoding, Generation, GenerationRequest, Likelihood, LikelihoodRequest


class ChildModel:
    """The ``Model`` Protocol, carried out by ``HFModel`` in another process."""

    def __init__(self, path: Path, dtype: str, interpreter: Path | None = None) -> None:
        self._child = subprocess.Popen(
            [interpreter or sys.executable, "-m", "harness.models.child", str(path), dtype],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            # Ctrl-C is for the harness: it closes the pipe, and the child ends by itself.
            start_new_session=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
            | os.environ
            | {"PYTHONPATH": python_path()},
        )
        self.engine = str(self._receive())

    def wear(self, adapter: Path | None) -> None:
        """Switch to an adapter, or to the bare base with None."""
        self._call("wear", adapter=str(adapter) if adapter else None)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        """One answer a request, as one batch."""
        found = self._call("generate", requests=[asdict(r) for r in requests], decoding=asdict(decoding))
        return [Generation(**row) for row in found]

    def loglikelihood(
        self, requests: Sequence[LikelihoodRequest], window: int, context: int | None
    ) -> list[Likelihood]:
        """Total log-likelihood of each text by rolling windows."""
        asked = [asdict(request) for request in requests]
        found = self._call("loglikelihood", requests=asked, window=window, context=context)
        return [Likelihood(**row) for row in found]

    def continuations(self, pairs: Sequence[TokenPair]) -> list[TokenScore]:
        """The score of each pair of tokens, each in one window."""
        found = self._call("continuations", pairs=[asdict(pair) for pair in pairs])
        return [TokenScore(**row) for row in found]

    def answers(self, prompts: Sequence[TokenPrompt], decoding: Decoding) -> list[Generation]:
        """One answer a prompt of tokens, as one batch."""
        found = self._call("answers", prompts=[asdict(p) for p in prompts], decoding=asdict(decoding))
        return [Generation(**row) for row in found]

    def close(self) -> None:
        """End the child; its memory goes with it."""
        if self._child.stdin:
            self._child.stdin.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout:
            self._child.stdout.close()

    def _call(self, name: str, **arguments: Any) -> Any:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"call": name, **arguments}) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # it died: reading says so
        return self._receive()

    def _receive(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            status = self._child.wait()
            cause = (
                "was killed (out of memory, most often)" if status == -9 else f"ended with status {status}"
            )
            raise StylobenchError(
                f"the model's process {cause}; run the same command again to go on from here"
            )
        answer = json.loads(line)
        if "error" in answer:
            kinds = {EXIT_CONFIGURATION: ConfigurationError, EXIT_MISSING: MissingPrerequisiteError}
            raise kinds.get(answer["code"], StylobenchError)(str(answer["error"]))
        return answer["result"]


def serve(path: Path, dtype: str, requests: TextIO, answers: TextIO) -> None:
    """The child's loop: load once, then answer one line with one line until the pipe closes."""
    from harness.models.hf import HFModel

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        model = HFModel(path, dtype)
    except StylobenchError as error:
        say(error=str(error), code=error.exit_code)
        return
    say(result=model.engine)
    for line in requests:
        asked = json.loads(line)
        try:
            say(result=_carry_out(model, asked))
        except StylobenchError as error:
            say(error=str(error), code=error.exit_code)


def _carry_out(model: Any, asked: dict[str, Any]) -> Any:
    if asked["call"] == "wear":
        return model.wear(Path(asked["adapter"]) if asked["adapter"] else None)
    if asked["call"] == "generate":
        wanted = [GenerationRequest(**row) for row in asked["requests"]]
        return [asdict(row) for row in model.generate(wanted, make_decoding(**asked["decoding"]))]
    if asked["call"] == "continuations":
        pairs = [TokenPair(tuple(row["context"]), tuple(row["continuation"])) for row in asked["pairs"]]
        return [asdict(row) for row in model.continuations(pairs)]
    if asked["call"] == "answers":
        prompts = [TokenPrompt(tuple(row["ids"]), row["noise"]) for row in asked["prompts"]]
        return [asdict(row) for row in model.answers(prompts, make_decoding(**asked["decoding"]))]
    texts = [LikelihoodRequest(**row) for row in asked["requests"]]
    return [asdict(row) for row in model.loglikelihood(texts, asked["window"], asked["context"])]


if __name__ == "__main__":
    # Keep the pipe for answers alone: whatever else writes to descriptor 1 now goes to stderr.
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(Path(sys.argv[1]), sys.argv[2], sys.stdin, pipe)
