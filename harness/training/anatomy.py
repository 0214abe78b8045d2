"""What a causal language model is made of, read from its ``config.json`` without loading anything.

config.json -> Anatomy (its matrices) -> Parameters, by part

    embed_tokens   V x d
    each layer     q_proj d->a   k_proj, v_proj d->k   o_proj a->d          d hidden width
                   gate_proj, up_proj d->f   down_proj f->d                 a heads x head width
                   or a router d->E and E experts of gate, up, down         k key-value heads x head width
                   norms                                                    f intermediate width
    norm           d                                                        V vocabulary, E experts
    lm_head        d->V, or the same weights as embed_tokens (tied)

The widths are those of transformers 5.17's modelling files; tests compare every count with the real
models, built on torch's ``meta`` device.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import ConfigurationError, nearest

Part = Literal["embeddings", "attention", "mlp", "experts", "router", "lm_head"]

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


class UnknownArchitectureError(ConfigurationError):
    """The planner does not know this kind of model: nothing is estimated, and training may well work."""


@dataclass(frozen=True)
class Matrix:
    """One kind of weight matrix. ``name`` is its path inside a layer, or inside the model for the two
    outermost; ``copies`` says how many lie side by side in one layer (experts).

    ``linear``: an ``nn.Linear``, which ``all-linear`` reaches and bitsandbytes quantises. transformers 5
    keeps all experts of a layer in one 3-D parameter instead.
    """

    name: str
    part: Part
    inputs: int
    outputs: int
    copies: int = 1
    bias: bool = False
    linear: bool = True

    @property
    def leaf(self) -> str:
        return self.name.rsplit(".", 1)[-1]

    @property
    def weights(self) -> int:
        return self.copies * self.inputs * self.outputs

    @property
    def biases(self) -> int:
        return self.copies * self.outputs if self.bias else 0


@dataclass(frozen=True)
class Anatomy:
    """A model's widths (elements) and matrices. ``layer`` holds the matrices of one of the ``layers``."""

    kind: str
    hidden: int
    layers: int
    vocabulary: int
    heads: int
    query_width: int
    key_width: int
    intermediate: int
    experts: int
    experts_used: int
    layer: tuple[Matrix, ...]
    norms: int
    """Parameters of all norms of one layer, attention sinks included."""
    query_key_norms: bool
    tied: bool
    kept_16_bit: tuple[str, ...] = ()
    """Module paths that a quantised checkpoint says it left at 16 bits."""
    quantised: str = ""
    """How the checkpoint itself is stored: ``bitsandbytes``, ``mxfp4``, ... or empty."""

    @property
    def embeddings(self) -> Matrix:
        return Matrix("model.embed_tokens", "embeddings", self.hidden, self.vocabulary, linear=False)

    @property
    def lm_head(self) -> Matrix:
        return Matrix("lm_head", "lm_head", self.hidden, self.vocabulary)

    @property
    def mlp_width(self) -> int:
        """Width of what one token goes through between up and down: all experts it is sent to."""
        return self.intermediate * max(self.experts_used, 1)


@dataclass(frozen=True)
class Parameters:
    """Parameter counts by part. A tied ``lm_head`` counts 0. ``active``: met by one token, embeddings out."""

    embeddings: int
    attention: int
    mlp: int
    experts: int
    router: int
    norms: int
    lm_head: int
    active: int

    @property
    def total(self) -> int:
        return (
            self.embeddings + self.attention + self.mlp + self.experts + self.router + self.norms
        ) + self.lm_head


# What differs between architectures that are otherwise the same stack.
_NORMS_A_LAYER = {"gemma2": 4, "gemma3_text": 4}
_QUERY_KEY_NORMS = {"qwen3", "qwen3_moe", "gemma3_text"}
_TIED_BY_DEFAULT = {"gemma", "gemma2", "gemma3_text"}
_KNOWN = ("gemma", "gemma2", "gemma3_text", "gpt_oss", "llama", "mistral", "qwen2", "qwen3", "qwen3_moe")


def read_anatomy(config: Mapping[str, Any]) -> Anatomy:
    """The anatomy a ``config.json`` describes.

    Raises UnknownArchitectureError for another model type or a key that is missing.
    """
    kind = str(config.get("model_type", ""))
    if kind not in _KNOWN:
        raise UnknownArchitectureError(
            f"the planner does not know model type {kind!r}{nearest(kind, _KNOWN)}"
        )
    try:
        hidden, layers = int(config["hidden_size"]), int(config["num_hidden_layers"])
        vocabulary, heads = int(config["vocab_size"]), int(config["num_attention_heads"])
        intermediate = int(config["moe_intermediate_size" if kind == "qwen3_moe" else "intermediate_size"])
        experts = _count_experts(config) if kind in _MIXTURES else 0
        experts_used = int(config["num_experts_per_tok"]) if experts else 0
    except KeyError as missing:
        raise UnknownArchitectureError(f"config.json of a {kind} model has no {missing}") from None
    if kind == "qwen3_moe" and (config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1):
        raise UnknownArchitectureError("the planner does not know qwen3_moe models with dense layers")
    head_width = int(config.get("head_dim") or hidden // heads)
    query, key = heads * head_width, int(config.get("num_key_value_heads") or heads) * head_width
    norms = _NORMS_A_LAYER.get(kind, 2) * hidden
    norms += 2 * head_width if kind in _QUERY_KEY_NORMS else 0
    norms += heads if kind == "gpt_oss" else 0  # its attention sinks, one a head
    stored = config.get("quantization_config") or {}
    return Anatomy(
        kind=kind,
        hidden=hidden,
        layers=layers,
        vocabulary=vocabulary,
        heads=heads,
        query_width=query,
        key_width=key,
        intermediate=intermediate,
        experts=experts,
        experts_used=experts_used,
        layer=(
            *_attention(config, hidden, query, key),
            *(
                _experts(kind, hidden, intermediate, experts)
                if experts
                else _mlp(config, hidden, intermediate)
            ),
        ),
        norms=norms,
        query_key_norms=kind in _QUERY_KEY_NORMS,
        tied=bool(config.get("tie_word_embeddings", kind in _TIED_BY_DEFAULT)),
        kept_16_bit=tuple(stored.get("llm_int8_skip_modules") or stored.get("modules_to_not_convert") or ()),
        quantised=str(stored.get("quant_method", "")),
    )


_MIXTURES = {"qwen3_moe", "gpt_oss"}


def _count_experts(config: Mapping[str, Any]) -> int:
    """Qwen publishes ``num_experts``; transformers 5 writes the same as ``num_local_experts``."""
    return int(config["num_experts"] if "num_experts" in config else config["num_local_experts"])


def _attention(config: Mapping[str, Any], hidden: int, query: int, key: int) -> tuple[Matrix, ...]:
    everywhere = bool(config.get("attention_bias", config["model_type"] == "gpt_oss"))
    inner = everywhere or config["model_type"] == "qwen2"  # Qwen2 has them on q, k and v only
    return (
        Matrix("self_attn.q_proj", "attention", hidden, query, bias=inner),
        Matrix("self_attn.k_proj", "attention", hidden, key, bias=inner),
        Matrix("self_attn.v_proj", "attention", hidden, key, bias=inner),
        Matrix("self_attn.o_proj", "attention", query, hidden, bias=everywhere),
    )


def _mlp(config: Mapping[str, Any], hidden: int, intermediate: int) -> tuple[Matrix, ...]:
    bias = bool(config.get("mlp_bias", False))
    return (
        Matrix("mlp.gate_proj", "mlp", hidden, intermediate, bias=bias),
        Matrix("mlp.up_proj", "mlp", hidden, intermediate, bias=bias),
        Matrix("mlp.down_proj", "mlp", intermediate, hidden, bias=bias),
    )


def _experts(kind: str, hidden: int, intermediate: int, experts: int) -> tuple[Matrix, ...]:
    biased = kind == "gpt_oss"
    router = Matrix("mlp.gate", "router", hidden, experts, bias=biased, linear=False)
    shapes = (("gate_proj", hidden, intermediate), ("up_proj", hidden, intermediate))
    return (
        router,
        *(
            Matrix(f"mlp.experts.{name}", "experts", inputs, outputs, experts, biased, linear=False)
            for name, inputs, outputs in (*shapes, ("down_proj", intermediate, hidden))
        ),
    )


def count_parameters(anatomy: Anatomy) -> Parameters:
    """Parameters by part, exactly as the model has them."""
    parts = dict.fromkeys(("attention", "mlp", "experts", "router"), 0)
    for matrix in anatomy.layer:
        parts[matrix.part] += anatomy.layers * (matrix.weights + matrix.biases)
    met = sum(
        matrix.inputs * matrix.outputs * (anatomy.experts_used if matrix.part == "experts" else 1)
        for matrix in anatomy.layer
    )
    return Parameters(
        embeddings=anatomy.embeddings.weights,
        norms=anatomy.layers * anatomy.norms + anatomy.hidden,
        lm_head=0 if anatomy.tied else anatomy.lm_head.weights,
        active=anatomy.layers * met + anatomy.lm_head.weights,
        **parts,
    )
