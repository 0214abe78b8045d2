"""Held-out book -> prompts and documents; train books and other authors -> everything that is fitted.

    held-out passages --> prompts: half continue, half question, spread evenly over the book
                     \\-> documents, each paired with one of another author
    train + others    --> keywords, TF-IDF, Delta, word pairs, what is honest, Punkt, authorship classifiers

Nothing fitted ever sees a held-out passage; what scores another author is fitted once more without him.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from harness import punkt
from harness.errors import ConfigurationError
from harness.fitted import Fitted
from harness.metrics.attribution import AuthorshipClassifier
from harness.metrics.delta import DeltaReference
from harness.metrics.function_words import FUNCTION_WORD_SET
from harness.metrics.honesty import Honest
from harness.metrics.keyness import characteristic_keywords
from harness.metrics.order import OrderReference
from harness.metrics.similarity import TfidfReference
from harness.text import count_words, digest, words
from harness.training.examples import continuation_prompt, split_first_sentence
from harness.types import Document, Passage, Prompt

_FEWEST_PASSAGES = 5
"""What a classifier needs a side, one fold each."""

_CLASSIFIER_PASSAGES = 300
"""Passages per side of a classifier fit: enough for AUC, few enough to fit ten of them in a demo."""


def fit(train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]) -> Fitted:
    """Fit every frozen reference on the author's train passages and the other authors' passages.

    Raises:
        ConfigurationError: the author or one of the others has too few passages to fit anything on.
    """
    for whose, passages in (("books: the author", train), *((f"others: {o}", p) for o, p in others.items())):
        if len(passages) < _FEWEST_PASSAGES:
            raise ConfigurationError(
                f"{whose} has {len(passages)} passages to fit on, and {_FEWEST_PASSAGES} are the least: too "
                "little body text, or all of it shared with the held-out text; see passage_words"
            )
    author_texts = [passage.text for passage in train]
    other_passages = [passage for passages in others.values() for passage in passages]
    other_texts = [passage.text for passage in other_passages]
    keywords = characteristic_keywords(_blocks(author_texts), _blocks(other_texts))
    orders = _fit_orders(author_texts, others)
    return Fitted(
        keywords=tuple(item.word for item in keywords),
        keyness={item.word: item.g2 for item in keywords},
        tfidf=TfidfReference.fit(author_texts),
        delta=DeltaReference.fit(_segments(author_texts), _segments(author_texts) + _segments(other_texts)),
        orders=orders,
        honest=_fit_honest(train, others, orders, [item.word for item in keywords]),
        punkt=punkt.learn(author_texts),
        classifiers=_fit_classifiers(train, others),
    )


def _fit_orders(
    author_texts: Sequence[str], others: Mapping[str, Sequence[Passage]]
) -> dict[str, OrderReference]:
    """Word pairs of the author and everybody else; once more without each other author."""
    fits = {}
    for without in (None, *sorted(others)):
        rest = [p.text for name in sorted(others) if name != without for p in others[name]]
        label = "all" if without is None else f"without:{without}"
        fits[label] = OrderReference.fit([*author_texts, *rest])
    return fits


def _fit_honest(
    train: Sequence[Passage],
    others: Mapping[str, Sequence[Passage]],
    orders: Mapping[str, OrderReference],
    keywords: Sequence[str],
) -> Honest:
    """The author's first half by the word pairs of all the rest, each other author by the fit without him.

    Half of the author has to be in: what he writes of need not be in anybody else's books.
    """
    half = len(train) // 2
    rest = [*train[half:], *(passage for name in sorted(others) for passage in others[name])]
    own = (train[:half], OrderReference.fit([passage.text for passage in rest]))
    prose = [own, *((others[name], orders[f"without:{name}"]) for name in sorted(others))]
    return Honest.fit([([p.text for p in passages], order) for passages, order in prose], keywords)


def _fit_classifiers(
    train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]
) -> dict[str, AuthorshipClassifier]:
    fits = {}
    author = _spread(train, _CLASSIFIER_PASSAGES)
    left_out: list[str | None] = [None, *sorted(others)] if len(others) > 1 else [None]
    for without in left_out:
        names = [name for name in sorted(others) if name != without]
        background = [passage.text for name in names for passage in others[name]]
        per_author = max(1, _CLASSIFIER_PASSAGES // len(names))
        negatives = [(name, p) for name in names for p in _spread(others[name], per_author)]
        for twin in ("plain", "masked"):
            label = twin if without is None else f"{twin}-without:{without}"
            fits[label] = AuthorshipClassifier.fit(
                [passage.text for passage in author],
                [passage.text for _, passage in negatives],
                author_groups=[passage.book for passage in author],
                other_groups=[f"{name}/{passage.book}" for name, passage in negatives],
                masked=twin == "masked",
                background=background,
            )
    return fits


def cut_prompts(heldout: Sequence[Passage], continuations: int, questions: int) -> list[Prompt]:
    """Prompts paired with the held-out passages that answer them, spread evenly over the book.

    A *continue* prompt shows a passage's first sentence and its answer is the rest; a *question* asks
    about the passage's most telling words (no model, no cost), and its answer is the whole passage.
    """
    usable = [passage for passage in heldout if passage.n_words >= 60 and can_be_continued(passage.text)]
    chosen = _spread(usable, continuations + questions)
    if len(chosen) < continuations + questions:
        raise ConfigurationError(
            f"prompts: {continuations + questions} wanted, but the held-out book yields {len(chosen)}"
        )
    seen_in = Counter(word for passage in heldout for word in set(words(passage.text)))
    prompts: list[Prompt] = []
    for index, passage in enumerate(chosen):
        continues = (index + 1) * continuations // len(chosen) > index * continuations // len(chosen)
        if continues:
            first, rest = split_first_sentence(passage.text)
            text, answer = continuation_prompt(first), rest
        else:
            text, answer = question_about(passage.text, seen_in, len(heldout)), passage.text
        kind = "continue" if continues else "question"
        identity = f"{kind[0]}{len(prompts):03d}-{digest(text, 6)}"
        prompts.append(
            Prompt(identity, "continue" if continues else "question", text, answer, passage.digest)
        )
    return prompts


def can_be_continued(text: str) -> bool:
    """Whether the first sentence says anything (a row of dots or "XXV." does not) and is not the last."""
    first, rest = split_first_sentence(text)
    return bool(rest) and count_words(first) >= 4


def question_about(text: str, seen_in: Mapping[str, int], n_passages: int) -> str:
    """A template question on the three most telling words of a passage, in their order of appearance.

    Telling = tf * ln(N / df) over the held-out passages, function words and short words left out.
    """
    counts = Counter(word for word in words(text) if len(word) > 3 and word not in FUNCTION_WORD_SET)
    weight = {word: n * math.log(n_passages / seen_in[word]) for word, n in counts.items()}
    best = sorted(weight, key=lambda word: (-weight[word], word))[:3]
    ordered = sorted(best, key=list(counts).index)
    listed = f"{', '.join(ordered[:-1])} and {ordered[-1]}" if len(ordered) > 1 else "".join(ordered)
    return f"What do you hold on the matter of {listed}?"


def cut_documents(
    heldout: Sequence[Passage], train: Sequence[Passage], others: Mapping[str, Sequence[Passage]]
) -> list[Document]:
    """Texts for likelihoods; the n-th held-out document is paired with the n-th of other authors."""
    mixed = [(name, passage) for name in sorted(others) for passage in others[name]]
    turn = sorted(range(len(mixed)), key=lambda i: digest(mixed[i][1].digest))
    shuffled = sorted(range(len(heldout)), key=lambda i: digest(heldout[i].digest))
    some_train = sorted(train, key=lambda passage: digest(passage.digest))[: len(heldout)]
    documents = []
    for pair, index in enumerate(shuffled):
        documents.append(
            Document(f"h{pair:03d}-{heldout[index].digest[:6]}", "heldout", pair, heldout[index].text)
        )
    for pair, index in enumerate(turn[: len(heldout)]):
        name, passage = mixed[index]
        documents.append(Document(f"o{pair:03d}-{passage.digest[:6]}", f"other:{name}", pair, passage.text))
    for pair, passage in enumerate(some_train):
        documents.append(Document(f"t{pair:03d}-{passage.digest[:6]}", "train", pair, passage.text))
    return documents


def _spread(passages: Sequence[Passage], n: int) -> list[Passage]:
    """``n`` passages spread evenly over a sequence (all of them where there are fewer)."""
    if len(passages) <= n:
        return list(passages)
    return [passages[index * len(passages) // n] for index in range(n)]


def _blocks(texts: Sequence[str], size: int = 2000) -> list[list[str]]:
    """The texts' words as blocks of ``size``; a short last block is left out."""
    tokens = [word for text in texts for word in words(text)]
    return [tokens[start : start + size] for start in range(0, len(tokens) - size + 1, size)] or [tokens]


def _segments(texts: Sequence[str], size: int = 1000) -> list[str]:
    """Consecutive passages joined into segments of at least ``size`` words."""
    segments: list[str] = []
    pending: list[str] = []
    total = 0
    for text in texts:
        pending.append(text)
        total += count_words(text)
        if total >= size:
            segments.append(" ".join(pending))
            pending, total = [], 0
    return segments or [" ".join(pending)]
