from __future__ import annotations

from pathlib import Path

from harness.models import Model
from harness.models.scripted import ScriptedModel
from harness.types import Decoding, GenerationRequest, LikelihoodRequest


def test_a_scripted_model_is_a_model_and_counts_what_it_was_asked() -> None:
    scripted = ScriptedModel(lambda rendered, adapter: f"{rendered} by {adapter and adapter.name}")
    model: Model = scripted
    asked = [GenerationRequest("q1", "said", "n"), GenerationRequest("q2", "told", "n")]
    assert [g.text for g in model.generate(asked, Decoding())] == ["said by None", "told by None"]
    model.wear(Path("adapters/a"))
    assert model.generate(asked[:1], Decoding())[0].text == "said by a"
    assert (scripted.generated, scripted.scored) == (3, 0)
    model.close()


def test_an_answer_is_cut_at_the_token_cap_and_says_so() -> None:
    model = ScriptedModel(lambda rendered, adapter: "one two three")
    (long,) = model.generate([GenerationRequest("q", "r", "n")], Decoding(max_tokens=2))
    (short,) = model.generate([GenerationRequest("q", "r", "n")], Decoding(max_tokens=3))
    assert (long.text, long.finish, long.n_tokens) == ("one two", "length", 2)
    assert (short.text, short.finish, short.n_tokens) == ("one two three", "stop", 3)


def test_likelihoods_depend_on_the_text_alone_unless_scripted() -> None:
    requests = [LikelihoodRequest("d1", "a short text"), LikelihoodRequest("d2", "a longer short text", "hi")]
    plain = ScriptedModel(lambda rendered, adapter: "")
    first, second = plain.loglikelihood(requests, 64, None)
    assert -1.1 * 12 <= first.loglik <= -12
    assert (first.n_tokens, second.n_tokens) == (3, 4)
    assert plain.loglikelihood(requests[::-1], 16, 1) == [second, first]
    scripted = ScriptedModel(lambda rendered, adapter: "", lambda text, adapter: -float(len(text)))
    assert [found.loglik for found in scripted.loglikelihood(requests, 64, None)] == [-12.0, -19.0]
