"""A base model through transformers, with peft adapters switched on it unmerged.

Sampling is inverse-CDF with one uniform number per (seed, item, step), so an item's answer depends on
its own noise and not on who shares its batch. Likelihoods use a float32 log-softmax in every precision.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import MissingPrerequisiteError, StylobenchError
from harness.metrics.likelihood import rolling_windows
from harness.models.noise import ItemNoise, uniforms
from harness.models.precision import check_room, engine_of, loading, settle
from harness.models.tokens import Forward, TokenPair, TokenPrompt, TokenScore, by_length
from harness.types import Decoding, Generation, GenerationRequest, Likelihood, LikelihoodRequest


class HFModel:
    """A causal language model in one precision on one device; see the ``Model`` Protocol."""

    def __init__(self, path: Path, dtype: str = "bfloat16", device: str | None = None) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        try:
            import torch
            import transformers
        except ImportError:
            raise MissingPrerequisiteError(
                "running a model needs torch: pip install 'stylobench[hf]'"
            ) from None
        transformers.utils.logging.disable_progress_bar()
        self._torch = torch
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.engine = engine_of(f"transformers/{dtype}/{self.device.partition(':')[0]}", path)
        told = loading(dtype, path, self.device)
        if self.device.startswith("cuda"):
            free, _ = torch.cuda.mem_get_info(self.device)
            check_room(path, dtype, free, torch.cuda.get_device_name(self.device))
        self.tokenizer = load_tokenizer(path)
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                path, use_safetensors=True, trust_remote_code=False, **told
            )
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # transformers raises whatever its parsers do
            raise damaged(f"base {path.name}: the weights", error) from None
        # The request's decoding is the whole of it: a base's own repetition penalty must not slip in.
        model.generation_config = transformers.GenerationConfig()
        self._stops = stop_ids(path, self.tokenizer)
        # What is loaded quantised already lies where it will stay, and refuses to be moved.
        placed = settle(model) if "device_map" in told else model.to(self.device)
        self._model: Any = placed.eval()
        self._names: dict[Path, str] = {}
        self._wearing: Path | None = None
        self._biased: Path | None = None

    # ── adapters ──────────────────────────────────────────────────────────────────────────────────

    def wear(self, adapter: Path | None) -> None:
        """Switch adapters.

        Raises:
            MissingPrerequisiteError: there is no safetensors adapter in that folder.
            StylobenchError: the adapter changes nothing on a probe, so it is not really on; or an adapter
                that changes the base's own biases is, or would come, on one base with others.
        """
        if self._biased is not None and adapter != self._biased:
            raise _not_alone(self._biased)
        self._wearing = adapter
        if adapter is None:
            return
        if adapter not in self._names:
            self._load(adapter, f"adapter{len(self._names)}")
        self._model.set_adapter(self._names[adapter], inference_mode=True)
        probe = self._torch.arange(1, 9, device=self.device)[None]
        with self._torch.inference_mode():
            worn = self._model(probe).logits
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft, of biases that stay: nobody shares such a base
                with self._model.disable_adapter():
                    bare = self._model(probe).logits
        name = f"{adapter.parent.name}/{adapter.name}"
        if not self._torch.isfinite(worn).all():
            raise StylobenchError(f"{name}: with the adapter on, the model gives no finite numbers")
        if self._torch.equal(worn, bare):
            raise StylobenchError(f"{name}: the adapter is loaded but changes nothing{self._idle(adapter)}")

    def _idle(self, adapter: Path) -> str:
        """Why an adapter changes nothing, as far as its weights tell."""
        mark = f".{self._names[adapter]}."
        sides = [
            p for n, p in self._model.named_parameters() if "lora_" in n and "B" in n and mark in f"{n}."
        ]
        if sides and not any(bool(side.any()) for side in sides):
            return ": its B matrices are all zero, as they are before training"
        return ", so it is not really on"

    def _load(self, adapter: Path, name: str) -> None:
        # peft would fall back to a pickle, or to the hub: only safetensors that are here are loaded.
        for needed in ("adapter_config.json", "adapter_model.safetensors"):
            if not (adapter / needed).is_file():
                raise MissingPrerequisiteError(
                    f"adapter {adapter.name}: {needed} is not in {adapter}; train again"
                )
        trains_biases = _trains_biases(adapter)
        if trains_biases and self._names:
            raise _not_alone(adapter)
        try:
            if self._names:
                self._model.load_adapter(str(adapter), adapter_name=name)
            else:
                from peft import PeftModel

                self._model = PeftModel.from_pretrained(self._model, str(adapter), adapter_name=name).eval()
        except self._torch.OutOfMemoryError:
            raise
        except ImportError:
            raise MissingPrerequisiteError(
                "wearing an adapter needs peft: pip install 'stylobench[hf]'"
            ) from None
        except Exception as error:  # peft raises whatever its parsers do
            raise damaged(f"adapter {adapter}:", error) from None
        self._names[adapter] = name
        self._biased = adapter if trains_biases else None

    def _active(self) -> Any:
        """Context in which the chosen adapter (or none) is on."""
        import contextlib

        bare = self._wearing is None and self._names
        return self._model.disable_adapter() if bare else contextlib.nullcontext()

    # ── answers ───────────────────────────────────────────────────────────────────────────────────

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Generation]:
        """One padded batch through ``generate``; the prompt is sliced off by tokens."""
        texts = [request.rendered for request in requests]
        batch = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        return self._drawn(batch.to(self.device), [request.noise for request in requests], decoding)

    def answers(self, prompts: Sequence[TokenPrompt], decoding: Decoding) -> list[Generation]:
        """The same for prompts that are tokens already."""
        torch = self._torch
        width = max(len(prompt.ids) for prompt in prompts)
        padding = [width - len(prompt.ids) for prompt in prompts]
        pad = self.tokenizer.pad_token_id or 0
        read = [[pad] * extra + list(prompt.ids) for prompt, extra in zip(prompts, padding, strict=True)]
        mask = [[0] * extra + [1] * (width - extra) for extra in padding]
        batch = {
            "input_ids": torch.tensor(read, device=self.device),
            "attention_mask": torch.tensor(mask, device=self.device),
        }
        return self._drawn(batch, [prompt.noise for prompt in prompts], decoding)

    def _drawn(self, batch: Any, noises: Sequence[str], decoding: Decoding) -> list[Generation]:
        torch, length = self._torch, batch["input_ids"].shape[1]
        processors = []
        if decoding.temperature > 0:
            noise = np.stack([uniforms(one, decoding.max_tokens) for one in noises])
            processors.append(ItemNoise(torch, decoding, noise, length))
        started = time.monotonic()
        with torch.inference_mode(), self._active():
            output = self._model.generate(
                **batch,
                max_new_tokens=decoding.max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                logits_processor=processors,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=list(self._stops),
            )
        seconds = (time.monotonic() - started) / len(noises)
        return [self._generation(row, seconds) for row in output[:, length:].tolist()]

    def _generation(self, ids: list[int], seconds: float) -> Generation:
        end = next((place for place, token in enumerate(ids) if token in self._stops), len(ids))
        stopped, kept = end < len(ids), ids[:end]
        text = self.tokenizer.decode(kept, skip_special_tokens=False)
        return Generation(text, "stop" if stopped else "length", len(kept), seconds)

    # ── likelihoods ───────────────────────────────────────────────────────────────────────────────

    def loglikelihood(
        self, requests: Sequence[LikelihoodRequest], window: int, context: int | None
    ) -> list[Likelihood]:
        """Rolling windows over each text after its prefix (BOS, or EOS where there is none)."""
        tokenizer = self.tokenizer
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        jobs: list[Forward] = []
        counts = []
        for index, request in enumerate(requests):
            prefix = tokenizer.encode(request.prefix, add_special_tokens=False) if request.prefix else [start]
            target = tokenizer.encode(request.text, add_special_tokens=False)
            counts.append(len(target))
            room = window if not request.prefix else max(2, window - len(prefix) + 1)
            for piece in rolling_windows(len(target), room, context and min(context, room)):
                before = prefix if piece.start < 0 else target[piece.start : piece.start + 1]
                ids = before + target[max(piece.start, -1) + 1 : piece.end + 1]
                jobs.append(Forward(index, ids, piece.n_scored))
        totals = [0.0] * len(requests)
        for group in by_length(jobs):
            for job, value in zip(group, self._score(group), strict=True):
                totals[job.index] += value.loglik
        return [Likelihood(total, n) for total, n in zip(totals, counts, strict=True)]

    def continuations(self, pairs: Sequence[TokenPair]) -> list[TokenScore]:
        """Each pair in one window; whoever asks has cut the context to what the model can read."""
        jobs = [
            Forward(index, [*pair.context, *pair.continuation], len(pair.continuation))
            for index, pair in enumerate(pairs)
        ]
        groups = by_length(jobs)
        found = {
            job.index: one for group in groups for job, one in zip(group, self._score(group), strict=True)
        }
        return [found[index] for index in range(len(pairs))]

    def _score(self, group: list[Forward]) -> list[TokenScore]:
        """Sum of log p over the last ``n_scored`` tokens of each row: right-padded, one forward.

        The last token of a row is predicted and never read, so a window may fill the model's whole length.
        """
        torch = self._torch
        width = max(len(job.ids) for job in group) - 1
        pad = self.tokenizer.pad_token_id or 0
        padding = [width - len(job.ids[:-1]) for job in group]
        read = [job.ids[:-1] + [pad] * extra for job, extra in zip(group, padding, strict=True)]
        ids = torch.tensor(read, device=self.device)
        mask = torch.tensor([[1] * (width - extra) + [0] * extra for extra in padding], device=self.device)
        values = []
        with torch.inference_mode(), self._active():
            logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            for row, job in enumerate(group):
                end = len(job.ids) - 1
                predicted = logits[row, end - job.n_scored : end].float()
                wanted = torch.tensor(job.ids[-job.n_scored :], device=self.device)
                loss = torch.nn.functional.cross_entropy(predicted, wanted, reduction="none")
                greedy = bool((predicted.argmax(dim=-1) == wanted).all())
                values.append(TokenScore(-float(loss.double().sum()), greedy))
        return values

    def close(self) -> None:
        """Drop the model and empty the device's cache."""
        del self._model
        if self.device.startswith("cuda"):
            self._torch.cuda.empty_cache()


def _trains_biases(adapter: Path) -> bool:
    """Whether it brings biases for the base's own layers, which stay when it is taken off."""
    try:
        settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        return str(settings.get("bias", "none")) != "none"
    except (OSError, ValueError, AttributeError) as error:
        raise damaged(f"adapter {adapter}:", error) from None


def _not_alone(biased: Path) -> StylobenchError:
    return StylobenchError(
        f"{biased.parent.name}/{biased.name}: it changes the base's own biases, so none may share that base; "
        "run it alone, or if it was trained elsewhere, register it again"
    )


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a base, padding on the left (which does not survive saving)."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise MissingPrerequisiteError(
            "rendering prompts needs transformers: pip install 'stylobench[hf]'"
        ) from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path), padding_side="left", trust_remote_code=False)
    except Exception as error:  # transformers raises whatever its parsers do
        raise damaged(f"base {path.name}: config or tokenizer", error) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def stop_ids(path: Path, tokenizer: Any) -> tuple[int, ...]:
    """The ids at which a base stops: its tokenizer's end of text, and what ``generation_config.json`` adds.

    Chat models end a turn otherwise than a text as often as not, and say so in that file.
    """
    try:
        settings = json.loads((path / "generation_config.json").read_text(encoding="utf-8"))
        named = settings.get("eos_token_id")
    except (OSError, ValueError, AttributeError):
        named = None
    listed = named if isinstance(named, list) else [named]
    own = [tokenizer.eos_token_id, *listed]
    return tuple(dict.fromkeys(id_ for id_ in own if isinstance(id_, int)))


def damaged(what: str, error: Exception) -> MissingPrerequisiteError:
    """What a library said of a file it could not read, as one line."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return MissingPrerequisiteError(f"{what} cannot be read ({reason}); fetch it again")
