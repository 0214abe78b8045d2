from __future__ import annotations

from pathlib import Path

import pytest

from harness.decodings import TopKDecoding
from harness.errors import StylobenchError
from harness.models.child import ChildModel
from harness.models.hf import HFModel
from harness.types import Decoding, GenerationRequest, LikelihoodRequest

DECODING = Decoding(temperature=0.8, top_p=0.9, max_tokens=6, seed=1)
ASKED = [
    GenerationRequest("a", "<|im_start|>user\nThe Nation", "0/0/a"),
    GenerationRequest("b", "A navy", "0/0/b"),
]
READ = [
    LikelihoodRequest("d", "The Nation must keep its word."),
    LikelihoodRequest("e", "A navy", "The farmer"),
]


@pytest.fixture(scope="module")
def child(tiny_llama: Path):
    model = ChildModel(tiny_llama, "float32")
    yield model
    model.close()


def test_the_child_gives_what_the_model_itself_gives(child: ChildModel, tiny_llama: Path) -> None:
    here = HFModel(tiny_llama, "float32", device="cpu")
    assert child.engine == here.engine
    child.wear(None)
    theirs, ours = child.generate(ASKED, DECODING), here.generate(ASKED, DECODING)
    assert [(g.text, g.finish, g.n_tokens) for g in theirs] == [(g.text, g.finish, g.n_tokens) for g in ours]
    assert child.loglikelihood(READ, 64, None) == here.loglikelihood(READ, 64, None)


def test_top_k_reaches_the_child(child: ChildModel) -> None:
    few = TopKDecoding(temperature=5.0, top_p=1.0, max_tokens=6, seed=1, top_k=1)
    greedy = Decoding(temperature=0.0, max_tokens=6)
    assert [g.text for g in child.generate(ASKED, few)] == [g.text for g in child.generate(ASKED, greedy)]


def test_an_error_in_the_child_is_raised_here_and_the_child_goes_on(
    child: ChildModel, tmp_path: Path
) -> None:
    with pytest.raises(StylobenchError, match="nowhere"):
        child.wear(tmp_path / "nowhere")
    child.wear(None)
    assert len(child.generate(ASKED[:1], DECODING)) == 1


def test_a_killed_child_is_reported(tiny_llama: Path) -> None:
    model = ChildModel(tiny_llama, "float32")
    model._child.kill()
    with pytest.raises(StylobenchError, match="was killed"):
        model.generate(ASKED, DECODING)
    model.close()
