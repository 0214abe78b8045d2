"""The real transformers engine on a random two-layer Llama, in float32 on the CPU."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.decodings import TopKDecoding
from harness.errors import StylobenchError
from harness.metrics.likelihood import rolling_windows
from harness.models.hf import HFModel, stop_ids
from harness.models.noise import ItemNoise, uniforms
from harness.types import Decoding, GenerationRequest, LikelihoodRequest

SHORT = "The Nation must keep its word."
LONG = (
    "Our coal and our iron are not the property of this generation alone; we hold them in trust, and no man "
    "is above the law, nor do we ask any man's permission when we obey it."
)
SAMPLED = Decoding(temperature=0.9, top_p=0.9, max_tokens=12)
GREEDY = Decoding(temperature=0.0, max_tokens=12)


@pytest.fixture(scope="module")
def model(tiny_llama: Path) -> Iterator[HFModel]:
    model = HFModel(tiny_llama, dtype="float32", device="cpu")
    yield model
    model.close()


def asked(*texts: str, seed: int = 0) -> list[GenerationRequest]:
    return [
        GenerationRequest(f"q{n}", f"<|im_start|>user\n{text}<|im_end|>\n", f"{seed}/0/{text}")
        for n, text in enumerate(texts)
    ]


def answers(model: HFModel, requests: list[GenerationRequest], decoding: Decoding = SAMPLED) -> list[str]:
    return [generation.text for generation in model.generate(requests, decoding)]


# ── answers ───────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_depends_on_nobody_who_shares_its_batch(model: HFModel) -> None:
    requests = asked(SHORT, LONG, "Why?", "A navy that is not kept ready.")
    together = answers(model, requests)
    assert [answers(model, [request])[0] for request in requests] == together
    assert answers(model, requests[::-1]) == together[::-1]
    assert answers(model, [requests[1], requests[3]]) == [together[1], together[3]]


def test_noise_decides_the_answer(model: HFModel) -> None:
    first, again, other = (answers(model, asked(SHORT, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_greedy_is_the_greedy_of_transformers(model: HFModel) -> None:
    (request,) = asked(LONG)
    ids = model.tokenizer(request.rendered, return_tensors="pt", add_special_tokens=False).input_ids
    output = model._model.generate(
        ids, max_new_tokens=12, do_sample=False, pad_token_id=model.tokenizer.pad_token_id
    )
    told = model.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=False)
    assert answers(model, [request], GREEDY) == [told.partition("<|im_end|>")[0]]


def test_a_sampled_answer_is_the_inverse_cdf_step_by_step(model: HFModel) -> None:
    """One token at a time by hand in numpy: temperature, nucleus, cumulated probability against u."""
    import torch

    (request,) = asked(SHORT)
    ids = model.tokenizer.encode(request.rendered, add_special_tokens=False)
    drawn: list[int] = []
    for u in uniforms(request.noise, SAMPLED.max_tokens):
        with torch.inference_mode():
            logits = model._model(torch.tensor([ids + drawn])).logits[0, -1].double().numpy()
        p = np.exp(logits / SAMPLED.temperature - (logits / SAMPLED.temperature).max())
        p /= p.sum()
        order = np.argsort(-p, kind="stable")
        kept = order[: int(np.searchsorted(np.cumsum(p[order]), SAMPLED.top_p)) + 1]
        cumulated = np.cumsum(p[kept])
        drawn.append(int(kept[np.searchsorted(cumulated, u * cumulated[-1], side="right")]))
        if drawn[-1] == model.tokenizer.eos_token_id:
            break
    (generation,) = model.generate([request], SAMPLED)
    stopped = drawn[-1] == model.tokenizer.eos_token_id
    kept_ids = drawn[:-1] if stopped else drawn
    assert generation.text == model.tokenizer.decode(kept_ids, skip_special_tokens=False)
    assert generation.n_tokens == len(kept_ids)
    assert generation.finish == ("stop" if stopped else "length")


@pytest.mark.parametrize(
    ("u", "top_p", "temperature", "token"),
    [
        (0.00, 0.7, 1.0, 2),  # most likely first: token 2 covers [0, .5) of the kept mass .8
        (0.62, 0.7, 1.0, 2),
        (0.63, 0.7, 1.0, 0),  # .63 * .8 = .504 lies in [.5, .8)
        (0.99, 0.7, 1.0, 0),
        (0.99, 1.0, 1.0, 3),  # everything kept: the last .05
        (0.99, 0.3, 1.0, 2),  # a nucleus of one is greedy
        (0.75, 1.0, 0.5, 0),  # squared and normalised: .25/.365, then .09/.365
    ],
)
def test_inverse_cdf_by_hand(u: float, top_p: float, temperature: float, token: int) -> None:
    import torch

    scores = torch.log(torch.tensor([[0.3, 0.15, 0.5, 0.05]]))
    draw = ItemNoise(torch, Decoding(temperature, top_p, 1), np.array([[u]]), prompt_length=3)
    chosen = draw(torch.zeros((1, 3), dtype=torch.long), scores)
    assert int(chosen.argmax()) == token
    assert int(torch.isfinite(chosen).sum()) == 1


@pytest.mark.parametrize(
    ("u", "top_p", "top_k", "token"),
    [
        (0.99, 1.0, 1, 2),  # one token kept is greedy
        (0.62, 1.0, 2, 2),  # tokens 2 and 0 are kept: .5/.8 = .625
        (0.63, 1.0, 2, 0),
        (0.99, 0.6, 2, 2),  # top_p is a share of what top_k kept: .625 reaches .6
        (0.99, 0.63, 2, 0),
        (0.99, 1.0, 4, 3),  # all kept
    ],
)
def test_top_k_is_taken_before_top_p(u: float, top_p: float, top_k: int, token: int) -> None:
    import torch

    scores = torch.log(torch.tensor([[0.3, 0.15, 0.5, 0.05]]))
    draw = ItemNoise(torch, TopKDecoding(1.0, top_p, 1, 0, top_k), np.array([[u]]), prompt_length=3)
    assert int(draw(torch.zeros((1, 3), dtype=torch.long), scores).argmax()) == token


def test_uniforms_are_uniform_and_stay_what_they_are() -> None:
    drawn = uniforms("0/0/q001", 20_000)
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    chi_square = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi_square < 43.8  # chi-square with 19 degrees of freedom, 0.1 % tail
    assert abs(np.corrcoef(drawn, uniforms("0/0/q002", 20_000))[0, 1]) < 0.03
    assert (uniforms("0/0/q001", 5) == drawn[:5]).all()
    # A change here changes every stored answer.
    assert uniforms("0/0/q001", 2).round(12).tolist() == pytest.approx(
        [0.356463857377, 0.488478778754], abs=1e-12
    )


# ── likelihoods ───────────────────────────────────────────────────────────────────────────────────


def nats(model: HFModel, before: list[int], text: list[int]) -> float:
    """log p(text | before) in float64, one forward."""
    import torch

    with torch.inference_mode():
        logits = model._model(torch.tensor([before + text])).logits[0].double()
    logp = torch.log_softmax(logits, dim=-1)
    at = range(len(before) - 1, len(before) + len(text) - 1)
    return float(sum(logp[place, token] for place, token in zip(at, text, strict=True)))


def tokens(model: HFModel, text: str) -> list[int]:
    ids: list[int] = model.tokenizer.encode(text, add_special_tokens=False)
    return ids


def test_loglikelihood_is_the_direct_sum(model: HFModel) -> None:
    (found,) = model.loglikelihood([LikelihoodRequest("d", LONG)], 512, None)
    ids = tokens(model, LONG)
    assert found.n_tokens == len(ids) < 512
    assert found.loglik == pytest.approx(nats(model, [model.tokenizer.bos_token_id], ids), abs=1e-4)


def test_a_document_scores_the_same_in_any_company(model: HFModel) -> None:
    texts = [SHORT, LONG, "No man is above the law.", f"{LONG} {LONG} {SHORT}"]
    requests = [LikelihoodRequest(str(n), text) for n, text in enumerate(texts)]
    together = [found.loglik for found in model.loglikelihood(requests, 64, 8)]
    alone = [model.loglikelihood([request], 64, 8)[0].loglik for request in requests]
    backwards = [found.loglik for found in model.loglikelihood(requests[::-1], 64, 8)][::-1]
    assert together == pytest.approx(alone, abs=1e-4)
    assert together == pytest.approx(backwards, abs=1e-4)


@pytest.mark.parametrize("context", [None, 1, 4, 16])
def test_rolling_windows_sum_up_by_hand(model: HFModel, context: int | None) -> None:
    ids = tokens(model, LONG)
    assert len(ids) > 32
    expected, covered = 0.0, 0
    for window in rolling_windows(len(ids), 16, context):
        read = ([model.tokenizer.bos_token_id] if window.start < 0 else []) + ids[max(0, window.start) :]
        first = window.score_from - max(0, window.start) + (window.start < 0)
        read = read[: first + window.n_scored]
        assert len(read) - 1 <= 16
        expected += nats(model, read[:first], read[first:])
        covered += window.n_scored
    assert covered == len(ids)
    (found,) = model.loglikelihood([LikelihoodRequest("d", LONG)], 16, context)
    assert found.loglik == pytest.approx(expected, abs=1e-3)
    (whole,) = model.loglikelihood([LikelihoodRequest("d", LONG)], 512, context)
    assert not math.isclose(found.loglik, whole.loglik, abs_tol=1e-2)


def test_after_a_prefix_only_the_text_counts(model: HFModel) -> None:
    prefix = "<|im_start|>user\nWrite a passage.<|im_end|>\n<|im_start|>assistant\n"
    (found,) = model.loglikelihood([LikelihoodRequest("d", SHORT, prefix)], 512, None)
    assert found.n_tokens == len(tokens(model, SHORT))
    assert found.loglik == pytest.approx(nats(model, tokens(model, prefix), tokens(model, SHORT)), abs=1e-4)
    (raw,) = model.loglikelihood([LikelihoodRequest("d", SHORT)], 512, None)
    assert abs(found.loglik - raw.loglik) > 1e-2


def test_a_window_as_long_as_the_model_reads_no_token_too_many(model: HFModel, tmp_path: Path) -> None:
    """GPT-2 has a table of positions: one token beyond its window is an error there, not a shrug."""
    from transformers import GPT2Config, GPT2LMHeadModel

    settings: dict[str, Any] = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16}
    marks = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0}
    GPT2LMHeadModel(GPT2Config(vocab_size=len(model.tokenizer), **settings, **marks)).save_pretrained(
        tmp_path
    )
    model.tokenizer.save_pretrained(tmp_path)
    gpt2 = HFModel(tmp_path, dtype="float32", device="cpu")
    (found,) = gpt2.loglikelihood([LikelihoodRequest("d", LONG)], 16, None)
    assert found.n_tokens == len(tokens(model, LONG))
    assert math.isfinite(found.loglik)


# ── adapters ──────────────────────────────────────────────────────────────────────────────────────


def save_adapter(base: Path, folder: Path, *, scale: float, seed: int) -> Path:
    """A LoRA adapter whose B matrices are normal with the given scale (0: an adapter without effect)."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, scale) if scale else parameter.zero_()
    model.save_pretrained(folder)
    return folder


def test_adapters_are_switched_and_the_base_comes_back_bit_for_bit(tiny_llama: Path, tmp_path: Path) -> None:
    one = save_adapter(tiny_llama, tmp_path / "one", scale=0.5, seed=1)
    two = save_adapter(tiny_llama, tmp_path / "two", scale=0.5, seed=2)
    model = HFModel(tiny_llama, dtype="float32", device="cpu")
    document, questions = [LikelihoodRequest("d", LONG)], asked(SHORT, LONG)

    def state(adapter: Path | None) -> tuple[float, list[str]]:
        model.wear(adapter)
        return model.loglikelihood(document, 512, None)[0].loglik, answers(model, questions)

    base, first, second = state(None), state(one), state(two)
    assert len({base[0], first[0], second[0]}) == 3
    assert state(None) == base
    assert state(one) == first
    assert state(two) == second
    assert state(None) == base
    fresh = HFModel(tiny_llama, dtype="float32", device="cpu")
    assert fresh.loglikelihood(document, 512, None)[0].loglik == base[0]


def test_an_adapter_that_changes_nothing_is_refused_every_time(tiny_llama: Path, tmp_path: Path) -> None:
    idle = save_adapter(tiny_llama, tmp_path / "idle", scale=0.0, seed=1)
    model = HFModel(tiny_llama, dtype="float32", device="cpu")
    for _ in range(2):
        with pytest.raises(StylobenchError, match="idle: the adapter is loaded but changes nothing: its B"):
            model.wear(idle)


def test_an_adapter_that_is_not_really_on_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    one = save_adapter(tiny_llama, tmp_path / "one", scale=0.5, seed=1)
    model = HFModel(tiny_llama, dtype="float32", device="cpu")
    model.wear(one)
    for module in model._model.modules():
        if hasattr(module, "lora_A"):
            module.scaling = dict.fromkeys(module.scaling, 0.0)
    with pytest.raises(StylobenchError, match=r"one: the adapter .* changes nothing, so it is not really on"):
        model.wear(one)


def test_an_adapter_with_biases_shares_its_base_with_nobody(tiny_llama: Path, tmp_path: Path) -> None:
    """It writes over the base's own biases, and taking it off does not bring them back."""
    plain = save_adapter(tiny_llama, tmp_path / "plain", scale=0.5, seed=1)
    biased = save_adapter(tiny_llama, tmp_path / "biased", scale=0.5, seed=2)
    config = json.loads((biased / "adapter_config.json").read_text())
    (biased / "adapter_config.json").write_text(json.dumps(config | {"bias": "all"}))
    alone = HFModel(tiny_llama, dtype="float32", device="cpu")
    alone.wear(biased)
    alone.wear(biased)
    for other in (plain, None):
        with pytest.raises(StylobenchError, match="biased: it changes the base's own biases"):
            alone.wear(other)
    shared = HFModel(tiny_llama, dtype="float32", device="cpu")
    shared.wear(plain)
    with pytest.raises(StylobenchError, match="biased: it changes the base's own biases"):
        shared.wear(biased)
    shared.wear(None)


def test_an_adapter_that_breaks_the_model_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    broken = save_adapter(tiny_llama, tmp_path / "broken", scale=float("inf"), seed=1)
    model = HFModel(tiny_llama, dtype="float32", device="cpu")
    with pytest.raises(StylobenchError, match=r"broken: .* no finite numbers"):
        model.wear(broken)


# ── where a base stops, and what else it brings ───────────────────────────────────────────────────


def test_a_base_stops_where_its_generation_config_says_too(model: HFModel, tmp_path: Path) -> None:
    eos = model.tokenizer.eos_token_id
    assert stop_ids(tmp_path, model.tokenizer) == (eos,)
    settings = tmp_path / "generation_config.json"
    for written, found in [("[7, 2]", (eos, 7)), ("9", (eos, 9)), ("null", (eos,))]:
        settings.write_text(f'{{"eos_token_id": {written}}}')
        assert stop_ids(tmp_path, model.tokenizer) == found
    settings.write_text("[")
    assert stop_ids(tmp_path, model.tokenizer) == (eos,)


def test_a_bases_own_decoding_does_not_slip_in(model: HFModel, tiny_llama: Path, tmp_path: Path) -> None:
    """Qwen2.5's files ask for a repetition penalty, which would change every answer and stand nowhere."""
    shutil.copytree(tiny_llama, tmp_path / "b")
    settings = json.loads((tiny_llama / "generation_config.json").read_text())
    settings |= {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "do_sample": True}
    (tmp_path / "b" / "generation_config.json").write_text(json.dumps(settings))
    other = HFModel(tmp_path / "b", dtype="float32", device="cpu")
    assert answers(other, asked(SHORT, LONG), GREEDY) == answers(model, asked(SHORT, LONG), GREEDY)


def test_a_second_stop_ends_an_answer(model: HFModel, tiny_llama: Path, tmp_path: Path) -> None:
    (whole,) = model.generate(asked(LONG), GREEDY)
    ids = model.tokenizer(whole.text, add_special_tokens=False)["input_ids"]
    shutil.copytree(tiny_llama, tmp_path / "b")
    (tmp_path / "b" / "generation_config.json").write_text(json.dumps({"eos_token_id": [ids[-1]]}))
    (cut,) = HFModel(tmp_path / "b", dtype="float32", device="cpu").generate(asked(LONG), GREEDY)
    assert (cut.finish, cut.n_tokens) == ("stop", ids.index(ids[-1]))
    assert whole.text.startswith(cut.text)
