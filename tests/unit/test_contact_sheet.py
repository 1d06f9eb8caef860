"""The contact sheet, read back as HTML."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from chalicelib import contract
from tools.contact_sheet import Frame, render, thumbnail, write

NOWHERE = contract.Urls(preview=None, original=None)
REASON = contract.Reason(property="color", effect=4.2, text="vivid <b>colors</b>")


def entry(rank: int = 1, score: float | None = 61.6, reason: str | None = None) -> contract.Entry:
    return contract.Entry(
        rank=rank,
        image="i",
        score=score,
        interval=None if score is None else (40.0, 85.5),
        beats_next=None if score is None else 0.75,
        reasons=[] if score is None else [REASON],
        similar=[],
        domain="edge" if score is not None else None,
        reason=reason,
        urls=NOWHERE,
    )


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def sheet(*frames: tuple[Frame, str | None], title: str = "Title") -> Page:
    return Page(render(title, frames, len(frames)))


def test_a_hostile_name_stays_text_wherever_it_stands() -> None:
    name = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>.jpg"
    page = sheet((Frame(name, Path(), entry()), "data:image/jpeg;base64,AA"), title=name)
    assert page.all("script") == []
    assert [image["alt"] for image in page.all("img")] == [f"Rank 1: {name}"]
    assert all("onerror" not in attributes for _, attributes in page.elements)


def test_reasons_and_failures_are_text_too() -> None:
    failed = entry(2, None, reason="<i>broken</i>")
    page = sheet((Frame("a", Path(), entry()), None), (Frame("b", Path(), failed), None))
    assert "vivid <b>colors</b>" in page.text
    assert "<i>broken</i>" in page.text
    assert page.all("i") == []


def test_the_page_forbids_scripts_and_other_hosts_and_asks_for_none() -> None:
    page = sheet((Frame("a", Path(), entry()), "data:image/jpeg;base64,AA"))
    policies = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    sources = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert str(policies[0]).startswith("default-src 'none'")
    assert sources == ["data:image/jpeg;base64,AA"]


def test_the_bar_spans_the_interval_and_says_it() -> None:
    page = sheet((Frame("a", Path(), entry()), None))
    [band] = [rect for rect in page.all("rect") if rect["class"] == "band"]
    assert (band["x"], band["width"]) == ("40.0", "45.5")
    assert "Score 62 of 100, 80 % interval 40 to 86" in [svg.get("aria-label") for svg in page.all("svg")]


@pytest.mark.parametrize("score", [0.0, 100.0])
def test_the_tick_of_an_extreme_score_stays_on_the_bar(score: float) -> None:
    page = sheet((Frame("a", Path(), entry(score=score)), None))
    [tick] = [rect for rect in page.all("rect") if rect["class"] == "tick"]
    assert 0 <= float(str(tick["x"])) <= 100 - float(str(tick["width"]))


def test_the_first_three_frames_are_marked() -> None:
    page = sheet(*((Frame("a", Path(), entry(rank)), None) for rank in range(1, 6)))
    assert len([svg for svg in page.all("svg") if svg.get("class") == "mark"]) == 3


def test_a_thumbnail_is_upright_and_at_most_320_pixels(tmp_path: Path) -> None:
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.new("RGB", (900, 600), "navy").save(tmp_path / "a.jpg", exif=rotated)
    picture = str(thumbnail(tmp_path / "a.jpg")).removeprefix("data:image/jpeg;base64,")
    assert Image.open(BytesIO(base64.b64decode(picture))).size == (213, 320)


def test_a_sheet_with_a_broken_photo_is_written_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    frame = Frame("broken.jpg", tmp_path / "broken.jpg", entry(1, None, "The file is truncated."))
    write(tmp_path / "new" / "sheet.html", "Title", [frame])
    page = Page((tmp_path / "new" / "sheet.html").read_text(encoding="utf-8"))
    assert "The file is truncated." in page.text
    assert page.all("img") == []
