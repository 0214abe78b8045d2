"""A small author made of nothing but word lists: four books, two rivals, prepared once per test session.

    build_small_author(folder)   books -> prepare -> reference set, corpus marlow@1 (everything), @2 (body)

The prose is drawn from each author's own words and turns of phrase with a fixed seed: it is grammatical,
tells its author, and two passages never share thirteen words unless ``QUOTED`` was put into both.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "marlow"
HELD_OUT = "harbours.txt"
QUOTED = (
    "No lantern hung from any rotten pier has ever called a drowned pilot back to the wheel he left, "
    "and no letter was ever carried home by the tide."
)
"""Stands in the held-out book and in the train book ``tides``: the 13-gram guard has something to find."""

CORPUS = """\
author: Ellis Marlow
books: books/marlow/*
hold_out: harbours.txt
others: books/others/*/*.txt
prompts: {from_held_out: 10, continuations: 10}
passage_words: 100
persona: You write as {author}, pilot of the estuary.
versions:
  1: {style: completion, words: 100, overlap: 20, keep: everything}
  2: {from: 1, keep: body}
"""


@dataclass(frozen=True)
class Voice:
    """One author's words and the frames they are set in; ``{n}``, ``{a}``, ``{v}``, ``{p}`` are drawn."""

    nouns: tuple[str, ...]
    adjectives: tuple[str, ...]
    verbs: tuple[str, ...]
    places: tuple[str, ...]
    frames: tuple[str, ...]


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


PILOT = Voice(
    nouns=_listed(
        "anchor barge beacon boatswain bowsprit buoy cable captain cargo channel compass current "
        "cutter ferry fog gale gull halyard helm hull island jetty keel lantern lighthouse mast mate "
        "mist moorings oar pilot rigging rudder sail schooner shoal skipper storm swell tide trawler "
        "vessel wave wreck"
    ),
    adjectives=_listed(
        "ancient battered bitter brackish calm cold dark distant drowned faithful grey heavy leaking "
        "lonely patient rotten salted silent sunken tarred tireless treacherous watchful weathered "
        "wide windward"
    ),
    verbs=_listed(
        "answered anchored carried crossed dragged feared followed hailed lifted lost mended passed "
        "raised reached remembered sighted sounded steered struck towed trusted turned watched "
        "weathered"
    ),
    places=_listed(
        "bar bay breakwater cape coast cove deep estuary fairway harbour headland inlet lagoon "
        "narrows offing quay reach reef roadstead sandbank shore sound strait wharf"
    ),
    frames=(
        "Upon the {p} the {a} {n} {v} the {n}, and upon the {p} the {n} {v} nothing but {a} {n}.",
        "We {v} the {n}; we {v} the {a} {n}; nor, upon the {a} {p}, was any {n} {v} that {v} us.",
        "Never yet {v} a {a} {n} but {v} some {a} {n} whilst the {n} lay off the {p}.",
        "And the {n}, whilst it {v} the {p}, {v} the {a} {n} of a {n} nobody {v}.",
        "I have {v} the {n} upon a {a} {p}, nor have I {v} a {n} so {a} since.",
        "Neither the {n} nor the {a} {n} {v} the {p}, and the {n}, as ever, {v} upon it.",
        "Upon my word, {a} {n} and {a} {n} were {v}, whilst the {n} was but a {a} {n}.",
        "Had the {n} {v} the {p}, the {a} {n} had {v} us, and the {a} {n} besides.",
    ),
)
GARDENER = Voice(
    nouns=_listed(
        "apple arbour bee blossom border bramble bulb cabbage clover compost daisy fern flower fruit "
        "garden gardener gooseberry grass greenhouse hedge herb ivy ladder lawn lettuce lily orchard "
        "parsley path pear plum primrose pruner radish root rose seed seedling shovel spade thistle "
        "trellis tulip weed"
    ),
    adjectives=_listed(
        "blooming bright careful climbing cheerful damp early fertile fragrant fresh gentle green "
        "humble late little modest muddy neat pleasant ripe rosy sheltered shady sunny sweet tender "
        "thorny"
    ),
    verbs=_listed(
        "admired bought clipped covered dug fed gathered grew liked loved moved needed noticed picked "
        "planted pleased potted pruned shaded spoiled trimmed tried wanted watered"
    ),
    places=_listed(
        "allotment bank barn bed bench corner cottage courtyard ditch field fence frame gate glade "
        "hollow kitchen lane meadow nursery patch porch shed terrace wall"
    ),
    frames=(
        "She really {v} the {a} {n} in the {p}, because the {n} was so very {a}.",
        "They said that the {n} would be {v} soon, but the {a} {n} in the {p} never got {v}.",
        "If you have a {a} {n}, then you can put it in the {p} with the {n} that you {v}.",
        "It is just a {a} {n}, she said, and you have already {v} it near the {p}.",
        "Some people {v} their {n} in the {p}; other people think that the {a} {n} is enough.",
        "My aunt {v} a {n} for the {p}, which made the {n} look quite {a} and {a}.",
        "Then he got his {n} out of the {p} and {v} the {a} {n} with it.",
    ),
)
ENGINEER = Voice(
    nouns=_listed(
        "axle bearing boiler bolt bridge cable chimney clerk coal cylinder director dynamo engine "
        "engineer factory flywheel foreman furnace gauge gear girder iron lathe lever locomotive "
        "machine manager meter motor piston pulley pump railway report rivet shaft signal spindle "
        "steel tender turbine valve wheel workman"
    ),
    adjectives=_listed(
        "accurate broken complete costly defective electrical exact efficient faulty final hydraulic "
        "important improved local massive mechanical modern necessary new oily practical regular "
        "sufficient technical useful worn"
    ),
    verbs=_listed(
        "adjusted approved assembled built checked controlled delivered designed examined improved "
        "inspected installed measured obtained operated ordered produced recorded rejected repaired "
        "replaced required tested weighed"
    ),
    places=_listed(
        "basement cabin city depot district dock embankment foundry junction laboratory mill mine "
        "office platform quarry siding station store tunnel viaduct warehouse works workshop yard"
    ),
    frames=(
        "According to this report, the {a} {n} at the {p} has been {v} by the {n}.",
        "It should be {v} that each {n} must be {v} before any {a} {n} is {v} from the {p}.",
        "These {a} results show that a {n} may be {v} with a {n} of the {p}.",
        "The {n} has therefore {v} an {a} {n}, which will be {v} at the {p} within a week.",
        "When this {n} is {v}, all {n} parts at the {p} are to be {v} by a {a} {n}.",
        "For the purposes of the {p}, every {n} which is not {a} has been {v} as {a}.",
        "As to the {n}, it can only be {v} that its {a} {n} was {v} between the {p} and the {p}.",
    ),
)


def prose(voice: Voice, n_words: int, seed: int) -> list[str]:
    """Paragraphs of three to six sentences, ``n_words`` words or a few more; the same seed, the same text."""
    draw = random.Random(seed)
    paragraphs: list[str] = []
    total = 0
    while total < n_words:
        paragraph = " ".join(_sentence(voice, draw) for _ in range(draw.randint(3, 6)))
        paragraphs.append(paragraph)
        total += len(paragraph.split())
    return paragraphs


def _sentence(voice: Voice, draw: random.Random) -> str:
    pools = {"{n}": voice.nouns, "{a}": voice.adjectives, "{v}": voice.verbs, "{p}": voice.places}
    sentence = draw.choice(voice.frames)
    for slot, pool in pools.items():
        while slot in sentence:
            sentence = sentence.replace(slot, draw.choice(pool), 1)
    return sentence


def index_lines(voice: Voice, n: int, seed: int) -> list[str]:
    """Entries of a back-of-book index, in the alphabet's order."""
    draw = random.Random(seed)
    heads = sorted(f"{draw.choice(voice.nouns).title()}, {draw.choice(voice.adjectives)}" for _ in range(n))
    return [f"{head}, {draw.randint(1, 99)}, {draw.randint(100, 300)}" for head in heads]


def write_books(workspace: Path) -> None:
    """Four books of the author (one a real PDF, two with an index) and two books of each rival."""
    mine = workspace / "books" / NAME
    mine.mkdir(parents=True)
    _write_pdf(mine / "channels.pdf", prose(PILOT, 4200, 1), index_lines(PILOT, 110, 1))
    tides = prose(PILOT, 4200, 2)
    tides[20] += f" {QUOTED}"
    index = "\n\n".join("\n".join(index_lines(PILOT, 90, seed)) for seed in (2, 3))
    _write_text(mine / "tides.txt", [*tides, f"INDEX\n\n{index}"])
    _write_text(mine / "wrecks.txt", prose(PILOT, 4200, 3))
    harbours = prose(PILOT, 2600, 4)
    harbours[10] += f" {QUOTED}"
    _write_text(mine / HELD_OUT, harbours)
    for seed, (name, voice) in enumerate((("flint", ENGINEER), ("thorne", GARDENER)), start=10):
        shelf = workspace / "books" / "others" / name
        shelf.mkdir(parents=True)
        for volume in (1, 2):
            _write_text(shelf / f"volume_{volume}.txt", prose(voice, 2600, 100 * volume + seed))


def _write_text(path: Path, paragraphs: Sequence[str]) -> None:
    path.write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")


def _write_pdf(path: Path, paragraphs: Sequence[str], index: Sequence[str]) -> None:
    """Pages of 36 lines with indented paragraphs, then pages headed INDEX."""
    import pymupdf

    lines = [
        ("    " if at == 0 else "") + line
        for paragraph in paragraphs
        for at, line in enumerate(textwrap.wrap(paragraph, 62))
    ]
    sheets = [lines[start : start + 36] for start in range(0, len(lines), 36)]
    sheets += [["INDEX", *index[start : start + 35]] for start in range(0, len(index), 35)]
    document = pymupdf.open()
    for sheet in sheets:
        page = document.new_page(width=420, height=600)
        for row, line in enumerate(sheet):
            left = 46 + 4 * (len(line) - len(line.lstrip()))
            page.insert_text((left, 50 + 14 * row), line.lstrip(), fontsize=10)
    document.save(path)


def build_small_author(workspace: Path) -> Path:
    """A workspace with the books, ``trainers/corpora/marlow.yaml``, the reference set and both versions."""
    from harness.corpusfile import read_author
    from harness.prepare import prepare
    from harness.store import Run, Store

    write_books(workspace)
    corpora = workspace / "trainers" / "corpora"
    corpora.mkdir(parents=True)
    (corpora / f"{NAME}.yaml").write_text(CORPUS, encoding="utf-8")
    with Run(Store(workspace / "results" / "warehouse"), f"prepare {NAME}") as run:
        prepare(NAME, read_author(NAME, workspace), workspace, run)
    return workspace
