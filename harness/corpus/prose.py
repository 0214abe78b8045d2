"""Pages -> paragraphs: what the printing press added is taken out again.

    running heads, folios   found by repetition at the edges of pages, removed
    footnotes               below NOTE_RULE or a gap: set apart, role ``notes``, after their chapter
    end-of-line hyphens     the printer's go, the author's stay (``hyphens``)
    lines                   joined into paragraphs, over page breaks too
    headings                taken out of the prose; they name the chapter

Pages that are not prose (an index, contents) keep their lines: they go on looking like what they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from harness.corpus.hyphens import Lexicon, join, lexicon
from harness.corpus.layout import NOTE_RULE
from harness.text import normalise, words
from harness.types import LabelledPage, Page

PROSE_ROLES = frozenset({"body", "preface"})
EDGE = 2
"""How many lines at the top and at the foot of a page can be furniture."""
REPEATS = 3
_ROMAN = r"(?=[ivxlc])c{0,3}(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})"
# A capital I before a stop or a comma ends somebody's sentence.
_FOLIO = re.compile(rf"\W*(?:p(?:g|age)?\.?\s*)?(?:\d{{1,4}}|(?!(?-i:I)[.,;:!?]){_ROMAN})\W*", re.I)
_SUPERSCRIPT = re.compile(r"(?<=[^\W\d]|[.,;:!?\"”’')])[⁰¹²³⁴-⁹]+")
_NOTE_START = re.compile(r"\s*(?:[⁰¹²³⁴-⁹]+|[*†‡]|\d{1,3}[.)]?)\s*[\"“'‘A-Z]")
_FIGURE = re.compile(r"\s*\d{1,3}[.)]?\s")
_HEAD_WITH_FOLIO = re.compile(r"\[?\d{1,4}\]?\s[^a-z]*[A-Z]{3}[^a-z]*|[^a-z]*[A-Z]{3}[^a-z]*[\s.]\d{1,4}\]?")
_NUMBERED = re.compile(r"(?:chapter|part|book|lecture|section)\s+(?:[ivxlc]+|\d+|[a-z]+)\.?", re.I)
_FORMULA = re.compile(r"[=△∴∵√∠]")
_SENTENCE_END = re.compile(r"[.!?:][\"”’')\]]*[⁰¹²³⁴-⁹]*$")


@dataclass(frozen=True)
class Paragraph:
    """One paragraph (of prose) or page (of anything else), repaired; ``page`` is where it starts."""

    book: str
    page: int
    role: str
    chapter: str
    text: str


# ── furniture ─────────────────────────────────────────────────────────────────────────────────────


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", " ".join(line.split()).casefold())


def running_lines(pages: Sequence[Page]) -> frozenset[str]:
    """Keys (figures as ``#``, case folded) of lines that stand at the edge of three or more pages."""
    seen: Counter[str] = Counter()
    for page in pages:
        lines = [line for line in page.lines if line.strip() and line != NOTE_RULE]
        seen.update({_key(line) for line in (*lines[:EDGE], *lines[-EDGE:])})
    return frozenset(key for key, n in seen.items() if n >= REPEATS)


def without_furniture(page: Page, running: frozenset[str]) -> tuple[str, ...]:
    """The page's lines without its running head and foot, folio, and empty lines at either end."""
    lines = list(page.lines)
    for at in (0, -1):
        removed = 0
        while lines and (removed < EDGE or not lines[at].strip()):
            bare = lines[at].strip()
            if bare and bare != NOTE_RULE:
                head = bool(_HEAD_WITH_FOLIO.fullmatch(bare)) and not _NUMBERED.fullmatch(bare)
                if not (head or _FOLIO.fullmatch(bare) or _key(bare) in running):
                    break
                removed += 1
            elif bare == NOTE_RULE and at == 0:
                break
            lines.pop(at)
    return tuple(lines)


def split_notes(lines: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The page's own lines, and its footnotes: below NOTE_RULE, or marked after a gap in its lower half.

    A note ends at the next gap that no mark follows. Figures mark no note where blocks of the upper half
    start with them too: there the paragraphs are numbered.
    """
    if NOTE_RULE in lines:
        cut = list(lines).index(NOTE_RULE)
        return tuple(lines[:cut]), tuple(line for line in lines[cut + 1 :] if line.strip())
    half = max(1, len(lines) // 2)
    opens = [bool(line.strip()) and (n == 0 or not lines[n - 1].strip()) for n, line in enumerate(lines)]
    numbered = any(opens[n] and _FIGURE.match(lines[n]) for n in range(min(half, len(lines))))
    own: list[str] = []
    notes: list[str] = []
    in_note = False
    for n, line in enumerate(lines):
        if opens[n]:
            marked = n >= half and _NOTE_START.match(line)
            in_note = bool(marked) and not (numbered and _FIGURE.match(line))
        (notes if in_note else own).append(line)
    while own and not own[-1].strip():
        own.pop()
    return tuple(own), tuple(line for line in notes if line.strip())


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────


def _clean(text: str) -> str:
    return " ".join(normalise(_SUPERSCRIPT.sub("", text)).split())


def _blocks(lines: Sequence[str], known: Lexicon, usual: float) -> list[_Block]:
    """Lines joined where nothing says that a paragraph starts: an indent, a gap, or a short last line."""
    blocks: list[_Block] = []
    gap, previous = False, ""
    for line in lines:
        if not line.strip():
            gap = True
            continue
        indented, bare = line.startswith("  "), line.strip()
        ended = bool(_SENTENCE_END.search(previous.strip()))
        after_indented = previous.startswith("  ")
        starts = not blocks or gap or (indented and (not after_indented or ended))
        starts = starts or (
            ended and not indented and len(previous.strip()) < 0.7 * usual and bare[:1].isupper()
        )
        if starts:
            blocks.append(_Block(bare, indented, gap))
        else:
            blocks[-1] = _Block(join(blocks[-1].text, bare, known), blocks[-1].indented, blocks[-1].gap)
        gap, previous = False, line
    return blocks


@dataclass(frozen=True)
class _Block:
    """``indented`` and ``gap`` say how its first line stood on the page."""

    text: str
    indented: bool
    gap: bool


def is_heading(text: str) -> bool:
    """``CHAPTER IV``, or a short line all in capitals; the letters of a figure or a formula are none.

    In a script without capitals nothing is set in them.
    """
    if _NUMBERED.fullmatch(text) and len(text.split()) == 2:
        return True
    if _FORMULA.search(text) or text.upper() != text or text.lower() == text:
        return False
    tokens = words(text)
    real = [token for token in tokens if len(token) >= 3]
    return len(tokens) <= 10 and bool(real) and 2 * len(real) >= sum(len(token) == 1 for token in tokens)


# ── paragraphs ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Reading:
    """Where reading stands: the chapter, the paragraph still open, the notes waiting for its end.

    An open paragraph keeps its place in the order of reading while plates and the like are passed.
    """

    known: Lexicon
    chapter: str = ""
    awaits_title: bool = False
    open: int | None = None
    done: list[Paragraph] = field(default_factory=list)
    notes: list[Paragraph] = field(default_factory=list)

    def start(self, paragraph: Paragraph) -> None:
        self.open = len(self.done)
        self.done.append(paragraph)

    def close(self) -> None:
        if self.open is not None:
            self.done[self.open] = replace(self.done[self.open], text=_clean(self.done[self.open].text))
        self.open = None

    def enter(self, chapter: str) -> None:
        self.close()
        self.done += self.notes
        self.notes = []
        self.chapter = chapter


def paragraphs(
    labelled: Sequence[LabelledPage],
    roles: set[str] | None,
    chapters: Sequence[tuple[int, str]] = (),
    language: str = "en",
) -> tuple[Paragraph, ...]:
    """The paragraphs of one book on pages of the wanted roles (None: of all), in reading order.

    Footnotes of body pages have the role ``notes`` and come after their chapter. ``chapters`` is the
    book's outline; headings found on the page name chapters too, so it may be left out.
    ``language`` says whose words mend a broken one.
    """
    pages = [item.page for item in labelled]
    running = running_lines(pages)
    stripped = [without_furniture(page, running) for page in pages]
    prose = [n for n, item in enumerate(labelled) if item.role in PROSE_ROLES]
    lines = [line for n in prose for line in stripped[n] if line.strip()]
    usual = median(len(line) for line in lines) if lines else 0.0
    indents = sum(line.startswith("  ") for line in lines) >= 0.02 * len(lines)
    reading = _Reading(lexicon(stripped, language))
    titles: dict[int, list[str]] = {}
    elsewhere = _printed_on_other_matter(labelled)
    for number, title in chapters:
        if tuple(words(title)) not in elsewhere.get(number, ()):
            titles.setdefault(number, []).append(title)
    role_before = ""
    for item, page_lines in zip(labelled, stripped, strict=True):
        if item.role not in PROSE_ROLES:
            text = "\n".join(t for t in (_clean(line) for line in page_lines if line != NOTE_RULE) if t)
            if text:
                reading.done.append(Paragraph(item.page.book, item.page.number, item.role, "", text))
            continue
        if role_before and role_before != item.role:
            reading.enter("")
        role_before = item.role
        _read_page(reading, item, page_lines, titles.get(item.page.number, []), usual, indents)
    reading.enter("")
    return tuple(p for p in reading.done if p.text and (roles is None or p.role in roles))


def _printed_on_other_matter(labelled: Sequence[LabelledPage]) -> dict[int, set[tuple[str, ...]]]:
    """Page number -> the lines, as words, of its blocks that are no prose: a title among them heads those."""
    found: dict[int, set[tuple[str, ...]]] = {}
    for item in labelled:
        if item.role not in PROSE_ROLES:
            lines = {tuple(words(normalise(line))) for line in item.page.lines}
            found.setdefault(item.page.number, set()).update(lines)
    return found


def _read_page(
    reading: _Reading,
    item: LabelledPage,
    lines: Sequence[str],
    titles: Sequence[str],
    usual: float,
    indents: bool,
) -> None:
    """Adds one page of prose; a title of the outline that is not printed on it starts at its top."""
    own, notes = split_notes(lines)
    blocks = _blocks(own, reading.known, usual)
    printed = {tuple(words(normalise(block.text))) for block in blocks}
    unprinted = [title for title in titles if tuple(words(title)) not in printed]
    if unprinted and not any(is_heading(block.text) for block in blocks):
        reading.enter(unprinted[-1])
    for place, block in enumerate(blocks):
        tokens = tuple(words(normalise(block.text)))
        named = any(tokens == tuple(words(title)) for title in titles) and bool(tokens)
        if named or is_heading(block.text):
            reading.enter(_clean(block.text))
            reading.awaits_title = bool(_NUMBERED.fullmatch(block.text))
            continue
        if reading.awaits_title and len(tokens) <= 12 and not _SENTENCE_END.search(block.text):
            reading.enter(f"{reading.chapter} {_clean(block.text)}")
            reading.awaits_title = False
            continue
        reading.awaits_title = False
        before = None if reading.open is None else reading.done[reading.open]
        unfinished = before is not None and not _SENTENCE_END.search(before.text)
        if before is not None and place == 0 and not block.indented and (indents or unfinished):
            reading.done[reading.open or 0] = replace(
                before, text=join(before.text, block.text, reading.known)
            )
        else:
            reading.close()
            reading.start(Paragraph(item.page.book, item.page.number, item.role, reading.chapter, block.text))
    for block in _blocks(notes, reading.known, usual) if notes else ():
        text = _clean(block.text)
        reading.notes.append(Paragraph(item.page.book, item.page.number, "notes", reading.chapter, text))
