"""The report: self-contained, escaped, complete, reproducible; a real browser finds no fault with it."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from report_example import TEMPLATES, example_context

from harness.distances import NOT_AS_A_WHOLE
from harness.figures import DARK, LIGHT, NAN, Cloud, Distribution, Dots, Rates, Series
from harness.report import (
    MARKS,
    MEANINGS,
    caption,
    common_n,
    describe,
    loss_curves,
    position_scale,
    render_html,
    render_report,
)
from harness.report_context import Column, Line, Measure, PositionRow, ReportContext, Table
from harness.report_numbers import interval_text, number, probability, spread_text
from harness.trust import UNFIT
from harness.types import Interval, Verdict

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIGHT_PAPER, DARK_PAPER = "#fcfbf8", "#15171a"
VOID = {"meta", "link", "img", "source", "br"}


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.balanced = True
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@functools.cache
def cache_folder() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp(prefix="report-figures-"))


def render(context: ReportContext) -> str:
    return render_html(context, figure_cache=cache_folder(), templates=TEMPLATES)


@pytest.fixture(scope="module")
def html() -> str:
    return render(example_context())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module", autouse=True)
def _forget_figures():  # type: ignore[no-untyped-def]
    yield
    shutil.rmtree(cache_folder())


def test_it_is_well_formed_and_has_no_script_no_request_and_a_strict_policy(html: str, page: Page) -> None:
    assert page.balanced
    assert page.open == []
    assert "script" not in {tag for tag, _ in page.tags}
    policies = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "srcset", "href", "action", "data", "poster"):
            assert attributes.get(name, "#").startswith(("data:", "#")), (tag, name)
    assert not re.search(r"https?:|@import|url\(", html)


def test_a_verdict_on_under_five_pairs_has_no_interval_unless_of_a_rate() -> None:
    context = example_context()
    style, rate = (next(v for v in context.verdicts if v.metric == m) for m in ("keyword_density", "copied"))

    def printed(verdict: Verdict, n: int) -> str:
        table = render(
            dataclasses.replace(context, verdicts=(dataclasses.replace(verdict, n=n, primary=True),))
        )
        return table.partition('id="verdicts"')[2].partition("</table>")[0]

    assert "no interval" in printed(style, 4)
    assert "too few for an interval: 4" in printed(style, 4)
    end = number(style.interval.high, Column(""), True)
    assert end not in printed(style, 4)
    assert f"{end}]" in printed(style, 5)
    assert "no interval" not in printed(style, 5) + printed(rate, 4)


def test_every_figure_has_words_and_both_dresses(page: Page) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 8 + 3 + 1
    assert all(len(image["alt"]) > 30 for image in images)
    dark = [attributes for tag, attributes in page.tags if tag == "source"]
    assert len(dark) == len(images)
    assert all("prefers-color-scheme: dark" in source["media"] for source in dark)
    assert all(image["src"] != source["srcset"] for image, source in zip(images, dark, strict=True))


def test_anchors_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = [
        attributes[name] for _, attributes in page.tags for name in ("aria-labelledby",) if name in attributes
    ]
    links = [a["href"][1:] for tag, a in page.tags if tag == "a"]
    assert {*wanted, *links} <= set(ids)


def test_tables_have_captions_and_scopes(page: Page) -> None:
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption") == 3 + 1 + 8 + 1 + 7 + 1  # seeds, looks
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in page.tags if tag == "th")


def test_the_sentence_comes_first_then_the_line_and_the_rest_in_order(html: str, page: Page) -> None:
    assert page.text.index("80 prompts cannot tell") < page.text.index("How close to")
    order = [a["id"] for tag, a in page.tags if tag == "section"]
    assert order == [
        "position",
        "verdicts",
        "gates",
        "leaderboard",
        "tasks",
        "training",
        "words",
        "answers",
        "made",
    ]


def test_positions_carry_interval_rates_and_their_caveats(page: Page) -> None:
    assert "0.71 [0.62, 0.80] valid 96 % [93, 100] copied 1 % [0, 6]" in page.text
    assert page.text.count("closer than the author: no credit") == 1  # too-keen; the copyist is a control
    assert "cannot tell: no valid answers" in page.text


def test_every_verdict_has_its_mark_its_word_and_its_meaning(page: Page) -> None:
    assert set(MARKS) == set(MEANINGS)
    assert len(set(MARKS.values())) == len(MARKS)
    for outcome, mark in MARKS.items():
        assert f"{mark} {outcome}" in page.text
        assert MEANINGS[outcome] in page.text
    assert "412 prompts would decide; 76 can detect 1.10" in page.text
    assert "+0.019 [+0.014, +0.024]" in page.text
    assert "needs more answers" in page.text
    assert "✗ FAIL" in page.text


def test_every_number_of_a_table_has_its_interval_or_says_why_not(html: str) -> None:
    body = html[html.index('id="leaderboard"') : html.index('id="training"')]
    cells = re.findall(r'<td class="figures">(.*?)</td>', body, re.S)
    assert len(cells) == 8 * (4 + 2 + 1 + 2 + 1 + 2 + 1 + 1 + 1) + 3 * (4 + 2 + 1 + 2 + 1 + 2 + 1)
    for cell in cells:
        if 'class="unknown"' in cell:
            assert re.search(r'title="[^"]+"', cell)
        else:
            assert re.search(r'class="interval">\[', cell), cell


def test_training_seeds_are_one_row_with_their_spread_and_stand_one_by_one_below(page: Page) -> None:
    assert "0.69 [0.60, 0.78] seeds 0.63 to 0.74 valid 96 %" in page.text
    assert "other-base@2+seed2 0.70 [0.60, 0.80]" in page.text
    rings = [a for tag, a in page.tags if tag == "span" and a.get("class") == "seed" and "style" in a]
    assert len(rings) == 3
    folded = [a for tag, a in page.tags if tag == "details" and a.get("class") == "seeds"]
    assert len(folded) == 1 + 7  # the line, the leaderboard and six tasks
    assert all("open" not in attributes for attributes in folded)


def test_a_mark_stands_in_the_head_and_an_unfit_metric_has_neither_direction_nor_arrow(html: str) -> None:
    head = next(part for part in re.findall(r"<thead>.*?</thead>", html, re.S) if "nearest passage" in part)
    text = Page(head).text
    assert "AUC 0.58 unfit [0.49, 0.66]" in text.replace("\xa0", " ")
    assert "higher is better" not in text  # which its column says
    row = next(part for part in re.findall(r"<tr.*?</tr>", html, re.S) if "decides nothing" in part)
    assert "outcome-unfit" in row
    assert MARKS["not worse"] not in row
    assert MARKS["descriptive"] in row
    assert "unfit on this author, AUC 0.58 [0.49, 0.66] at 150 words" in Page(html).text
    fit = next(part for part in re.findall(r"<thead>.*?</thead>", html, re.S) if "authorship logit" in part)
    assert "higher is better" in Page(fit).text


def test_every_metric_that_tells_them_apart_has_its_place_between_others_and_author(html: str) -> None:
    place = re.search(r'style="left: ([\d.]+)%"></span></span><span class="at">0.71<', html)
    assert place is not None
    assert float(place[1]) == pytest.approx(100 * (0.71 + 0.25) / 1.5, abs=0.01)


def test_training_tells_what_the_records_say_and_has_no_column_for_the_rest(page: Page) -> None:
    assert "step 45 of 60 was kept, over the ceiling of 5 % copied" in page.text
    assert "given up to fit: micro_batch 8 → 4" in page.text
    assert "0.7 lost" in page.text
    assert "41 % of the card" in page.text
    assert "GPU hours" in page.text
    old = dataclasses.replace(example_context(), training=example_context().training[:2])
    text = Page(render(old)).text
    told = text[text.index("One row a training run") :]
    for word in ("GPU hours", "tokens a second", "lost", "of the card", "training took", "Looks along"):
        assert word not in told, word


def test_the_circle_of_the_kept_look_is_told_apart() -> None:
    new, old = loss_curves(example_context().training[2:3]), loss_curves(example_context().training[:1])
    assert [step for step, _ in new.curves[0].validation] == [0, 15, 30, 45, 60]
    assert new.curves[0].kept == 45
    assert "along the way, filled where" in caption(new)
    assert [step for step, _ in old.curves[0].validation] == [0, 60]
    assert caption(old).endswith("before and after.")


def test_easy_negatives_are_said_at_the_top(html: str) -> None:
    said = "easy negatives: optimistic"
    assert html.index(said) < html.index('id="position"')
    assert said not in render(dataclasses.replace(example_context(), caveat=""))


def test_unknown_is_a_dash_with_its_reason_and_never_a_number(html: str, page: Page) -> None:
    assert 'title="a control has no likelihood">–<' in html
    assert not re.search(r"\bnan\b", page.text, re.I)


def test_limited_is_said_when_it_is_so(html: str) -> None:
    assert html.count("<strong>LIMITED</strong>") == 1
    assert "<strong>LIMITED" not in render(dataclasses.replace(example_context(), limited=False))


def test_text_from_outside_is_escaped_everywhere() -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7 * 7 }}'

    def poisoned(value: object) -> object:
        if isinstance(value, str):
            return evil
        if isinstance(value, Interval):
            return value
        if isinstance(value, tuple):
            return tuple(poisoned(item) for item in value)
        if isinstance(value, dict):
            return {f"{key}{evil}": poisoned(item) for key, item in value.items()}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fixed = {"kind", "outcome", "unit", "direction", "metric"}
            changes = {
                field.name: poisoned(getattr(value, field.name))
                for field in dataclasses.fields(value)
                if field.name not in fixed
            }
            return dataclasses.replace(value, **changes)
        return value

    context = example_context()
    small = dataclasses.replace(context, panels=context.panels[:1], wordclouds=context.wordclouds[:1])
    result = poisoned(small)
    assert isinstance(result, ReportContext)
    page = Page(render(result))
    assert page.balanced
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if "onerror" in a]
    assert "{{ 7 * 7 }}" in page.text
    assert "alert(1)" in page.text


def test_a_bare_context_renders_without_empty_sections() -> None:
    context = example_context()
    bare = ReportContext("t", "a", "s", "now", Table((), ()), context.provenance)
    page = Page(render(bare))
    assert [a["id"] for tag, a in page.tags if tag == "section"] == ["position", "leaderboard", "made"]
    assert "img" not in {tag for tag, _ in page.tags}


def test_a_template_that_asks_for_what_is_not_there_fails(tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("{{ report.titel }}")
    with pytest.raises(jinja2.UndefinedError, match="titel"):
        render_html(
            dataclasses.replace(example_context(), panels=(), wordclouds=(), training=()), templates=tmp_path
        )


def test_the_same_context_gives_the_same_page(html: str) -> None:
    assert render(example_context()) == html
    assert render(example_context(seed=1)) != html


def test_a_second_report_imports_no_drawing_library(tmp_path: Path, html: str) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]);"
        "from report_example import TEMPLATES, example_context; from harness.report import render_report;"
        "render_report(example_context(), Path(sys.argv[2]), figure_cache=Path(sys.argv[3]),"
        "templates=TEMPLATES);"
        "print(sorted({'matplotlib', 'seaborn', 'pandas', 'wordcloud', 'scipy'} & set(sys.modules)))"
    )
    out = tmp_path / "deep" / "report.html"
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(out), str(cache_folder())]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "[]"
    assert out.read_text(encoding="utf-8") == html
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


# ── numbers ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "column", "signed", "printed"),
    [
        (0.9512, Column("x", digits=3), False, "0.951"),
        (-0.0004, Column("x", digits=3), True, "0.000"),
        (0.019, Column("x", digits=3), True, "+0.019"),
        (0.0125, Column("x", digits=1, percent=True), False, "1.2\u202f%"),
        (-0.5, Column("x", digits=0, percent=True), True, "−50\u202f%"),
        (12345.0, Column("x", digits=0), False, "12\u202f345"),
        (0.03, Column("x"), False, "0.030"),
        (1234.5, Column("x"), False, "1\u202f234"),
        (NAN, Column("x"), False, "–"),
        (math.inf, Column("x"), False, "–"),
    ],
)
def test_numbers_are_printed_plainly(value: float, column: Column, signed: bool, printed: str) -> None:
    assert number(value, column, signed) == printed


def test_both_ends_of_an_interval_have_the_same_digits() -> None:
    assert interval_text(Interval(0.6, 12.0), Column("x")) == "[0.6, 12.0]"
    assert interval_text(Interval(-0.011, 0.9), Column("x", digits=0, percent=True)) == "[−1, 90]"
    assert interval_text(Interval(0.1, NAN), Column("x")) == "–"
    assert spread_text(Interval(-3.1, -2.9), Column("x", digits=1)) == "seeds −3.1 to −2.9"
    assert spread_text(Interval(0.001, 0.002), Column("x", digits=1)) == "every seed 0.0"


def test_position_scale_holds_both_ends_and_stops_at_absurd_ones() -> None:
    def row(value: float, low: float, high: float) -> PositionRow:
        rate = Measure(1.0)
        return PositionRow("v", "adapter", Measure(value, Interval(low, high)), rate, rate)

    calm = position_scale((row(0.5, 0.4, 0.6), row(NAN, NAN, NAN)))
    assert calm.low < 0 < 1 < calm.high
    assert 0 < calm.at(0) < calm.at(0.5) < calm.at(1) < 100
    wild = position_scale((row(-9, -40, 30),))
    assert (wild.low, wild.high) == (-1, 2)
    assert (wild.at(-9), wild.at(30)) == (0, 100)
    assert not wild.holds(30)


def test_n_is_said_once_where_all_share_it() -> None:
    def table(*measures: Measure) -> Table:
        return Table((Column("x"),), tuple(Line("v", "base", (measure,)) for measure in measures))

    assert common_n(table(Measure(1, n=80), Measure(NAN, n=0), Measure(2, n=80)), 0) == 80
    assert common_n(table(Measure(1, n=80), Measure(2, n=76)), 0) == 0


def test_a_line_that_does_not_fit_its_columns_is_refused() -> None:
    two = Line("v", "base", (Measure(1), Measure(2)))
    for line in (two, Line("family", "base", (Measure(1),), members=(two,))):
        with pytest.raises(ValueError, match="2 cells for 1 columns"):
            Table((Column("x"),), (line,))


def test_figures_are_told_in_words() -> None:
    told = describe(
        Distribution((Series("v1", "adapter", (1.0, 3.0, NAN, 2.0)), Series("v2", "base", ())), "words")
    )
    assert told == "Distributions of words, medians: v1 2.00; v2 unknown."
    assert describe(Cloud({"a": 1.0, "b": 2.0})) == "Word cloud; the heaviest words are b, a."
    assert "ceiling" in caption(Rates((), "x", 0.05))
    assert "dashed" not in caption(Dots((), "x", ceiling=1.0))


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio of two ``#rrggbb`` colours, from 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_text_stands_out_in_both_dresses_and_figures_wear_the_same_colours() -> None:
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", css, re.S)[:2]
    )
    for sheet, palette in ((light, LIGHT), (dark, DARK)):
        assert {
            role: sheet[role] for role in ("ink", "muted", "rule", "accent", "warn")
        }.items() <= palette.items()
        for role in set(palette) - {"rule"}:
            assert contrast(palette[role], sheet["paper"]) >= 4.5, role
        assert contrast(sheet["ink"], sheet["tint"]) >= 4.5


@dataclasses.dataclass(frozen=True)
class Visit:
    """What a headless browser did with a page; ``requests`` are those the page itself made."""

    console: list[str]
    requests: set[str]
    shot: Path


def visit(page: Path, folder: Path, scheme: int = 1) -> Visit:
    """Opens a page at phone width; ``scheme`` is Chromium's number: 0 dark, 1 light."""
    shot, log = folder / "shot.png", folder / "net.json"
    command = f"""{CHROMIUM} --headless --no-sandbox --disable-gpu --disable-quic --no-first-run
        --disable-background-networking --disable-component-update --disable-sync
        --enable-logging=stderr --v=0 --window-size=500,3000 --blink-settings=preferredColorScheme={scheme}"""
    paths = [f"--log-net-log={log}", f"--user-data-dir={folder / 'profile'}", f"--screenshot={shot}"]
    offline = "--host-resolver-rules=MAP * ~NOTFOUND"
    done = subprocess.run(
        [*command.split(), offline, *paths, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    events = [event.get("params", {}) for event in json.loads(log.read_text(encoding="utf-8"))["events"]]
    # What the browser asks for on its own account has "not an origin" as its initiator.
    browser = "not an origin"
    made = {p["url"] for p in events if "url" in p and p.get("initiator", browser) != browser}
    return Visit([line for line in done.stderr.splitlines() if "CONSOLE" in line], made, shot)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("scheme", [0, 1], ids=["dark", "light"])
def test_a_browser_reports_no_error_and_asks_for_nothing(tmp_path: Path, scheme: int) -> None:
    out = tmp_path / "report.html"
    render_report(example_context(), out, figure_cache=cache_folder(), templates=TEMPLATES)
    seen = visit(out, tmp_path, scheme)
    assert seen.console == []
    assert seen.requests == set()

    from PIL import Image

    with Image.open(seen.shot) as picture:
        corner = picture.convert("RGB").getpixel((2, 2))
    paper = (DARK_PAPER, LIGHT_PAPER)[scheme]
    assert corner == tuple(int(paper[i : i + 2], 16) for i in (1, 3, 5))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_the_visit_would_notice_a_request_and_a_console_message(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<img src='http://127.0.0.1:9/x.png'><script>console.error('oh')</script>", encoding="utf-8"
    )
    seen = visit(page, tmp_path)
    assert seen.requests == {"http://127.0.0.1:9/x.png"}
    assert any("oh" in line for line in seen.console)


def test_a_p_value_is_never_printed_as_nothing() -> None:
    assert [probability(p) for p in (0.0, 0.0004, 0.001, 0.1284, 1.0)] == [
        *("<0.001", "<0.001", "0.001", "0.128", "1.000")
    ]


def test_what_a_comparison_cannot_tell_or_takes_for_unfit_is_said_as_it_says_it() -> None:
    context = example_context()
    known = next(v for v in context.verdicts if v.metric == "copied")
    doubt = dataclasses.replace(known, outcome="inconclusive", baseline=0.0, candidate=0.0, needed=189)

    def row(verdict: Verdict) -> Page:
        table = render(dataclasses.replace(context, verdicts=(verdict,)))
        return Page(table.partition('id="verdicts"')[2].partition("<dl")[0])

    assert "189 prompts would decide if still none; 80 can detect" in row(doubt).text
    assert "if still none" not in row(dataclasses.replace(doubt, baseline=0.01)).text
    note = f"closer prompt by prompt, {NOT_AS_A_WHOLE}"
    against = row(dataclasses.replace(doubt, metric="words", needed=0, margin=NAN, note=note)).text
    assert note in against
    assert "no margin" not in against.partition(note)[0]
    assert "can detect" not in against
    # The verdict knows the length of its two sides' answers; the column goes by everybody's.
    told = f"{UNFIT} (AUC 0.50): it decides nothing"
    unfit = dataclasses.replace(known, outcome="descriptive", primary=False, note=told)
    assert not context.metrics["copied"].unfit
    page = row(unfit)
    assert "outcome-unfit" in " ".join(a.get("class", "") for _, a in page.tags)
    assert page.text.count("unfit on this author") == 1
