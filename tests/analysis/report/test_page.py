"""The page of a report: what it says, in which order, that it loads nothing, and that any name is only a name."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from unicodedata import category

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_impa.analysis.report.contents import ReportContents, ReportedScore, ScoredRow
from napari_impa.analysis.report.page import report_page, write_number, write_share
from napari_impa.watch import CancelledError, Progress, Token

Make = Callable[..., ReportContents]


class Read(HTMLParser):
    """Tags with their attributes, and the text, of a page; each tag must be closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def page(contents: Make) -> str:
    return report_page(contents("taxol", "nocodazole 5"))


def test_the_verdict_comes_first_and_the_rest_in_order(page: str) -> None:
    text = Read(page).text
    parts = [
        "Predicted cells come half of the way", "Intensity moves", "The rules behind this", "What was compared",
        "Each condition", "taxol", "best", "median", "worst", "Gap closed, by family", "What mattered",
        "DAPI: mean intensity", "All rows", "Support along strength", "Every measurement",
        "How each figure is computed", "Settings", "How to cite",
    ]  # fmt: skip
    places = [text.index(part) for part in parts[:4]]
    at = places[-1]
    for part in parts[4:]:
        at = text.index(part, at)
        places.append(at)
    assert places == sorted(places)


def test_it_loads_nothing(page: str) -> None:
    read = Read(page)
    policy = next(attrs["content"] for tag, attrs in read.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        inside = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(inside) == 1
        assert f"{tag}-src 'sha256-{b64encode(sha256(inside[0].encode()).digest()).decode()}'" in policy
    for tag, attrs in read.tags:
        assert tag not in ("link", "iframe", "base", "object", "embed")
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        assert (attrs.get("src") or "data:image/").startswith("data:image/")
        assert "href" not in attrs
    assert all(attrs.get("alt") for tag, attrs in read.tags if tag == "img")


def test_cells_that_were_not_held_out_are_warned_of(contents: Make, page: str) -> None:
    assert "⚠" not in Read(page).text
    assert "The training saw none" in Read(page).text
    warned = Read(report_page(contents("taxol", held_out=False)))
    assert "⚠ Not held out: the training may have seen some of these cells" in warned.text
    assert "The training saw none" not in warned.text
    assert [attrs for tag, attrs in warned.tags if attrs.get("class") == "alarm"]


def test_pictures_are_those_of_the_cells_on_the_contrast_of_real_ones(contents: Make) -> None:
    made = contents("taxol")
    bright = [replace(one, predicted=one.predicted * 0 + 60_000) for one in made.panels[0].pictures]
    shown = Read(report_page(replace(made, panels=(replace(made.panels[0], pictures=tuple(bright)),))))
    pictures = {
        attrs["alt"]: np.asarray(Image.open(BytesIO(b64decode(str(attrs["src"]).partition(",")[2]))))
        for tag, attrs in shown.tags
        if tag == "img" and str(attrs["src"]).startswith("data:image/jpeg")
    }
    assert pictures["best cell 1, control"].shape == (32, 32, 3)
    assert len({picture.tobytes() for alt, picture in pictures.items() if "control" in str(alt)}) == 12
    assert np.ptp(pictures["worst cell 2, predicted"]) < np.ptp(pictures["worst cell 2, control"])
    assert pictures["worst cell 2, predicted"].min() >= 50
    assert np.quantile(pictures["worst cell 2, nearest real"], 0.9) > 80  # not darkened by what was predicted


def test_what_mattered_is_outlined(contents: Make) -> None:
    made = contents("taxol")
    mask = np.zeros((3, 32, 32), bool)
    mask[:, 8:20, 8:20] = True
    with_masks = replace(made.panels[0].pictures[0], masks=mask, mattered=("7 %", "not enough", "as it is"))
    read = Read(report_page(replace(made, panels=(replace(made.panels[0], pictures=(with_masks,)),))))
    found = [str(attrs["src"]) for tag, attrs in read.tags if attrs.get("alt") == "best cell 1, what mattered"]
    picture = np.asarray(Image.open(BytesIO(b64decode(found[0].partition(",")[2]))))
    assert (picture[8, 8:20] > 200).all()
    assert not (picture[11, 11] > 200).all()


def test_what_mattered_is_said_in_words(contents: Make) -> None:
    made = contents("taxol")
    best = replace(made.panels[0].pictures[0], mattered=("7 %", "not enough", "as it is"))
    page = report_page(replace(made, panels=(replace(made.panels[0], pictures=(best,)),)))
    for words in ("75 %", "12 %", "0.81", "93 %", "on cells of other wells"):
        assert words in page
    assert re.findall(r'<td class="share">([^<]*)', page) == ["7 %", "not enough", "as it is"]
    page = report_page(replace(made, panels=(replace(made.panels[0], mattered="It cannot <tell>."),)))
    assert "What mattered is not known: It cannot &lt;tell&gt;." in page


def best(page: str) -> list[str]:
    """Numbers marked in the table."""
    return re.findall(r'<td class="n [a-z]+"><span class="best">([^<]*) ▲</span>', page)


def test_the_best_of_a_column_is_marked_among_what_is_not_real(contents: Make) -> None:
    page = report_page(contents("taxol"))
    assert best(page) == ["0.52", "3.25", "60%"]
    assert "−0.20" in page
    lower = ReportedScore("distance", "distance", "", "Distance", "{:.2f}".format, "lower")
    rows = tuple(ScoredRow("a", name, name, "", (value,)) for name, value in (("control", 2.0), ("predicted", 4.0)))
    rows += tuple(ScoredRow("a", name, name, "", (value,)) for name, value in (("real", 2.0), ("seen", 1.0)))
    page = report_page(replace(contents("a"), scores=(lower,), rows=rows))
    assert best(page) == ["2.00"]
    page = report_page(replace(contents("a"), scores=(replace(lower, better=None),), rows=rows))
    assert best(page) == []


def test_a_summary_of_several_conditions(contents: Make) -> None:
    shown = Read(report_page(contents("taxol"))).text
    assert "gap closed of each condition" not in shown
    assert "nothing" not in shown
    shown = Read(report_page(contents("taxol", "nocodazole"))).text
    assert "taxol 0.00 0.52 ▲ 0.31 −0.20 – 0.83 1.00" in shown[shown.index("gap closed of each condition") :]


PLAIN = "[condition]"
names = st.text(st.characters() | st.sampled_from("<>&\"'{}%`/\\\u202e\x00\ud800"), max_size=30).map("[{}]".format)


@settings(max_examples=40)
@given(name=names)
def test_any_name_is_only_a_name(contents: Make, name: str) -> None:
    def only(name: str) -> Read:
        made = contents(
            name, without_panel=(name,), title=name, facts=((name, name),), notes=(name,), citations=(name,)
        )
        few = replace(made.panels[0], pictures=(), families=(), distributions=(), mattered=None)
        made = replace(made, panels=(few,), support=(), channels=(name, name), settings={"where": name})
        return Read(report_page(made).encode().decode())

    plain, read = only(PLAIN), only(name)
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in plain.tags]
    assert read.text == plain.text.replace(PLAIN, as_shown(name))


def as_shown(name: str) -> str:
    """A name as a browser shows it: spaces folded, a mark for each letter that no page may hold."""
    unfit = [letter for letter in name if category(letter) in ("Cc", "Cs") and letter not in "\t\r\n"]
    unfit += [
        letter for letter in name if (ord(letter) & 0xFFFE) == 0xFFFE or letter in map(chr, range(0xFDD0, 0xFDF0))
    ]
    return " ".join(name.translate(dict.fromkeys(map(ord, unfit), "\ufffd")).split())


def test_a_report_without_its_optional_parts(contents: Make) -> None:
    bare = contents(panels=(), scores=(), rows=(), support=(), measurements=(), explained=(), citations=(), findings=())
    text = Read(report_page(bare)).text
    assert "Support along strength" not in text
    assert "The rules behind" not in text


def test_it_stops_before_the_next_condition_when_it_is_cancelled(contents: Make) -> None:
    told: list[Progress] = []
    token = Token(lambda report: (told.append(report), token.cancel()))
    with pytest.raises(CancelledError):
        report_page(contents("taxol", "nocodazole"), watch=token)
    assert [(report.done, report.of, report.what) for report in told] == [(0, 2, "drawing taxol")]


def test_numbers_in_words() -> None:
    assert [write_number(value) for value in (-1.5, 12.34, 1234.5, 0)] == ["−1.50", "12.3", "1,234", "0.00"]
    assert write_number(float("inf")) == write_share(float("nan")) == "–"
    assert write_share(0.126) == "13 %"
