"""Character n-grams of texts, weighted by TF-IDF and summed: what a linear classifier reads, in numpy.

    "the cat" --place in the alphabet--> digits --one number an n-gram--> columns --count, weigh--> score

scikit-learn's ``TfidfVectorizer(analyzer="char", sublinear_tf=True)`` and a product with the coefficients
give the same to rounding, but more slowly: there every n-gram becomes a string first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

SHORTEST, LONGEST = 2, 4
CHUNK_CHARACTERS = 100_000
"""Scored at once: enough for numpy's overhead to vanish, and some 20 MB of working memory."""


class NgramWeights:
    """A fixed vocabulary of n-grams (2 to 4 characters) with inverse document frequencies.

    An n-gram is a number in base ``alphabet + 1``. No digit of a known one is 0, which stands for a character
    that the vocabulary lacks and for the gap between two texts; so no two of whatever lengths are equal.
    """

    def __init__(self, vocabulary: Sequence[str], idf: np.ndarray) -> None:
        """Raises ValueError for an n-gram of another length, or over 55,000 different characters."""
        if any(not SHORTEST <= len(ngram) <= LONGEST for ngram in vocabulary):
            raise ValueError(f"n-grams have {SHORTEST} to {LONGEST} characters")
        alphabet = np.unique(_code_points("".join(vocabulary)))
        self._base = alphabet.size + 1
        if self._base**LONGEST > np.iinfo(np.int64).max:
            raise ValueError(f"{alphabet.size} different characters are too many")
        self._digits = np.zeros(int(alphabet.max(initial=0)) + 2, dtype=np.int64)
        self._digits[alphabet] = np.arange(1, alphabet.size + 1)
        codes = np.zeros(len(vocabulary), dtype=np.int64)
        lengths = np.array([len(ngram) for ngram in vocabulary], dtype=np.int64)
        for length in range(SHORTEST, LONGEST + 1):
            members = np.flatnonzero(lengths == length)
            text = "".join(vocabulary[int(member)] for member in members)
            codes[members] = self._codes(self._digits_of(text), length)[::length]
        self._columns = np.argsort(codes)
        self._sorted = codes[self._columns]
        self._idf = np.asarray(idf, dtype=np.float64)

    def scores(self, texts: Sequence[str], coefficients: np.ndarray) -> np.ndarray:
        """The unit TF-IDF row of each text times ``coefficients``; shape (len(texts),).

        weight = (1 + ln count) * idf, rows scaled to length 1. A text without a known n-gram: 0.
        """
        found = [self._chunk_scores(chunk, coefficients) for chunk in _chunks(texts)]
        return np.concatenate(found) if found else np.zeros(0)

    def _chunk_scores(self, texts: Sequence[str], coefficients: np.ndarray) -> np.ndarray:
        digits = self._digits_of("\n".join(texts))
        ends = np.cumsum([len(text) + 1 for text in texts])
        # Whatever the vocabulary thinks of a line break: between two texts there is a gap.
        digits[ends[:-1] - 1] = 0
        text_of = np.repeat(np.arange(len(texts)), [len(text) + 1 for text in texts])[: digits.size]
        size = max(1, self._sorted.size)
        keys = []
        for length in range(SHORTEST, LONGEST + 1):
            codes = self._codes(digits, length)
            places = np.minimum(np.searchsorted(self._sorted, codes), size - 1)
            known = np.flatnonzero((self._sorted[places] == codes) & (digits[: codes.size] > 0))
            keys.append(text_of[known] * size + self._columns[places[known]])
        cells, counts = np.unique(np.concatenate(keys), return_counts=True)
        rows, columns = np.divmod(cells, size)
        weights = (1 + np.log(counts)) * self._idf[columns]
        squares = np.bincount(rows, weights * weights, minlength=len(texts))
        products = np.bincount(rows, weights * coefficients[columns], minlength=len(texts))
        return np.asarray(products / np.sqrt(np.where(squares > 0, squares, 1.0)))

    def _digits_of(self, text: str) -> np.ndarray:
        return np.asarray(self._digits[np.minimum(_code_points(text), self._digits.size - 1)])

    def _codes(self, digits: np.ndarray, length: int) -> np.ndarray:
        """The number of each run of ``length`` digits, one for every place where one starts."""
        codes = digits[: max(0, digits.size - length + 1)]
        for further in range(1, length):
            codes = codes * self._base + digits[further : further + codes.size]
        return codes


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Consecutive texts of about ``CHUNK_CHARACTERS`` together; a longer one stands alone."""
    start = size = 0
    for place, text in enumerate(texts):
        if size and size + len(text) > CHUNK_CHARACTERS:
            yield texts[start:place]
            start, size = place, 0
        size += len(text)
    if start < len(texts):
        yield texts[start:]
