"""Pages on which the role changes half-way, cut into blocks; a page that does not is one block.

    prose ... / INDEX / Army, 3, 9 ...           body | index       a heading, that kind of matter below it
    prose ... / NOTES / 1 See ... / II / ...     body | notes | body
    Part Six ... 240 / CHAPTER I / It was ...    contents | body    lines that end in page numbers, then prose
    THE BOOK / by an author / PREFACE / ...      title | body       the top of the first page
    *** END OF THE PROJECT GUTENBERG EBOOK       body | copyright   and the other way round at its START

Precision comes first: where the matter below a heading does not look like what the heading says, the page
stays whole. No printed line is lost: the blocks' lines, one after the other, are the page's.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from harness.corpus.page_view import is_prose
from harness.corpus.role_names import CHAPTER, PART, role_named
from harness.metrics.index_pages import ends_in_page, has_leader, index_like
from harness.text import count_words
from harness.types import LabelledPage, Page

MIN_LINES, MIN_WORDS = 3, 30
"""Printed lines, or words on fewer of them, that a block must have to be cut off."""
_GUTENBERG = re.compile(r"\W*(START|END) OF (?:THE|THIS) PROJECT GUTENBERG E-?(?:BOOK|TEXT)\b.*")
_BY_LINE = re.compile(r"\W*(?:written |edited )?by\b.{0,60}|produced by .+|transcriber['’]s note.*", re.I)
_MARK = re.compile(
    rf"(?:{CHAPTER}|{PART}|lecture|section)\s+\w{{1,7}}[.:]?|[ivxlc]{{1,7}}[.:]?|\d{{1,3}}[.:]?", re.I
)
_WORK = re.compile(r"(?:1[5-9]|20)\d\d[a-z]?[).,;]")
_NUMBERED = re.compile(r"\s*(?:\[\w{1,8}\]|\(?\d{1,3}[.)]?|[*†‡]|[¹²³⁴-⁹]+)\s*\S")


@dataclass(frozen=True)
class Block:
    """Part of a page, with its role where the cut itself tells it."""

    page: Page
    role: str | None = None
    reason: str = ""


def blocks(page: Page, titles: Iterable[str] = (), *, early: bool = False) -> tuple[Block, ...]:
    """The page in blocks, top to bottom.

    ``titles``: what the outline starts on this page; ``early``: it can be front matter, where contents need
    no dot leaders.
    """
    lines = page.lines
    for place, line in enumerate(lines):
        mark = _GUTENBERG.fullmatch(line.strip())
        if mark and mark.group(1) == "START":
            head = Block(_part(page, 0, place + 1), "copyright", "above the mark where the text starts")
            return (head, *_left(_part(page, place + 1, len(lines)), titles, early))
        if mark:
            foot = Block(_part(page, place, len(lines)), "copyright", "below the mark where the text ends")
            return (*_left(_part(page, 0, place), titles, early), foot)
    named = {" ".join(title.lower().split()) for title in titles}
    if page.number == 1 and (cut := _first_words(lines)):
        return _two(page, cut, Block(page, "title", "above the first words of the text"))
    if cut := _end_of_contents(lines, early):
        return _two(page, cut, Block(page, "contents", "lines end in page numbers, then prose begins"))
    for place, line in enumerate(lines):
        role = role_named(line)
        if not role or not line.strip()[0].isupper() or not _fills_a_block(lines[:place]):
            continue
        end = _end_of(role, line, lines[place + 1 :], named)
        if end and not _both_lists(lines[:place], lines[place:]):
            cut = place + 1 + end
            listed = Block(_part(page, place, cut), role, f"below the heading {line.strip()!r}")
            return (Block(_part(page, 0, place)), listed, *_left(_part(page, cut, len(lines)), (), early))
    return (Block(page),)


def page_roles(labelled: Sequence[LabelledPage]) -> dict[int, str]:
    """Page number -> its one role: that of most of its words; a mixed page counts once."""
    n_words: dict[int, Counter[str]] = {}
    for item in labelled:
        n_words.setdefault(item.page.number, Counter())[item.role] += 1 + count_words(item.page.text)
    return {number: roles.most_common(1)[0][0] for number, roles in n_words.items()}


def _part(page: Page, start: int, end: int) -> Page:
    return replace(page, lines=page.lines[start:end])


def _two(page: Page, cut: int, first: Block) -> tuple[Block, ...]:
    return replace(first, page=_part(page, 0, cut)), Block(_part(page, cut, len(page.lines)))


def _printed(lines: Sequence[str]) -> list[str]:
    return [line.strip() for line in lines if line.strip()]


def _left(page: Page, titles: Iterable[str], early: bool) -> tuple[Block, ...]:
    """What is left of a page, cut in its turn; nothing where no line of it is printed."""
    return blocks(page, titles, early=early) if _printed(page.lines) else ()


def _end_of(role: str, heading: str, below: Sequence[str], titles: set[str]) -> int | None:
    """How far the matter goes that a heading names; None where what stands below is something else."""
    printed = _printed(below)
    end: int | None = len(below)
    if role == "contents" and (found := _end_of_contents(below, early=True)):
        return found
    if role == "notes" and printed:
        end = _end_of_entries(below, lambda lines: bool(_NUMBERED.match(lines[0])))
        notes = sum(bool(_NUMBERED.match(line)) for line in below[:end])
        return end if heading.isupper() and notes >= 2 and _NUMBERED.match(printed[0]) else None
    if role == "bibliography":
        end = _end_of_entries(below, lambda lines: any(_NUMBERED.match(t) or _WORK.search(t) for t in lines))
        printed = _printed(below[:end])
    if len(printed) < MIN_LINES or sum(map(is_prose, printed)) > 0.5 * len(printed):
        return None
    if role == "bibliography":
        return end if len(_WORK.findall("\n".join(printed))) >= max(2, 0.15 * len(printed)) else None
    if role in ("index", "contents", "captions"):
        return end if index_like("\n".join(printed)) else None
    return end if role == "glossary" and " ".join(heading.lower().split()) in titles else None


def _end_of_entries(lines: Sequence[str], is_entry: Callable[[Sequence[str]], bool]) -> int:
    """The end of the run of paragraphs that are entries; a line or two left over go with them."""
    end, start = 0, 0
    for place in range(len(lines) + 1):
        if place < len(lines) and lines[place].strip():
            continue
        if paragraph := lines[start:place]:
            if not is_entry(paragraph):
                break
            end = place
        start = place + 1
    return end if _fills_a_block(lines[end:]) else len(lines)


def _fills_a_block(lines: Sequence[str]) -> bool:
    printed = _printed(lines)
    return len(printed) >= MIN_LINES or count_words("\n".join(printed)) >= MIN_WORDS


def _both_lists(above: Sequence[str], below: Sequence[str]) -> bool:
    """True in the midst of an index: its running head may stand anywhere in the text of two columns."""
    return index_like("\n".join(above)) and index_like("\n".join(below))


def _end_of_contents(lines: Sequence[str], early: bool) -> int | None:
    """Where prose begins below lines that end in rising page numbers; None where there is no such place."""
    prose = next((n for n, line in enumerate(lines) if is_prose(line)), len(lines))
    last = max((n for n, line in enumerate(lines[:prose]) if ends_in_page(line.strip())), default=-1)
    above, below = _printed(lines[: last + 1]), _printed(lines[last + 1 :])
    entries = [line for line in above if ends_in_page(line)]
    pages = [int(found.group()) for line in entries if (found := re.search(r"\d+$", line))]
    leaders = sum(map(has_leader, above))
    if len(entries) < max(4, 0.6 * len(above)) or pages != sorted(pages) or len(pages) < 4:
        return None
    if leaders < 0.3 * len(above) and not early:
        return None
    reads_on = sum(map(is_prose, below)) >= 0.4 * len(below) or count_words("\n".join(below)) >= 12 * len(
        below
    )
    return last + 1 if _fills_a_block(below) and reads_on else None


def _first_words(lines: Sequence[str]) -> int | None:
    """Where the text begins below a title and a line that says by whom; its own heading goes with it."""
    starts: list[int] = []
    bracketed = False
    for place, line in enumerate(lines):
        bare = line.strip()
        noted = bracketed or bare.startswith("[")
        bracketed = noted and "]" not in bare
        if bare and (place == 0 or not lines[place - 1].strip()):
            starts.append(place)
        if bare and not noted and _reads_on(lines, starts[-1]):
            break
    else:
        return None
    cut = starts[-1]
    for start in reversed(starts[:-1]):
        heading = " ".join(_printed(lines[start:cut]))
        if count_words(heading) > 12 or _BY_LINE.fullmatch(heading):
            break
        cut = start
        above = " ".join(_printed(lines[:start])[-1:])
        if not (_MARK.fullmatch(above) or (_MARK.fullmatch(heading) and role_named(above))):
            break
    above_cut = _printed(lines[:cut])
    return cut if len(above_cut) >= MIN_LINES and any(map(_BY_LINE.fullmatch, above_cut)) else None


def _reads_on(lines: Sequence[str], start: int) -> bool:
    """True where the paragraph is one long line of prose, or its first two lines are prose."""
    first, second = lines[start], lines[start + 1] if start + 1 < len(lines) else ""
    return is_prose(first) and (count_words(first) >= 25 or is_prose(second))
