"""The contact sheet: ranked photos as one HTML file that needs no script, no other file and no other host."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

from chalicelib import contract

THUMBNAIL_SIDE = 320
MARKED = 3
STYLE = Path(__file__).with_suffix(".css")
# Nothing in the page may run or load, whatever a file is called.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# A grease pencil's ring, in a box of 120 by 90.
RING = (
    "M14 22 C30 5 84 3 104 16 C120 30 117 68 100 79 C78 90 32 89 16 77 C2 64 3 34 22 15",
    "M10 30 C20 8 70 2 98 11 C119 22 119 62 105 76 C86 90 36 91 17 80 C3 70 1 40 12 20",
    "M20 15 C46 2 96 4 109 22 C119 44 114 70 94 82 C70 91 26 88 12 74 C1 58 5 26 30 9",
)


@dataclass(frozen=True)
class Frame:
    """One photo of the sheet. file: its name as shown; path: where its pixels are."""

    file: str
    path: Path
    entry: contract.Entry


def write(sheet: Path, title: str, frames: Sequence[Frame]) -> None:
    """Raises OSError when the file cannot be written."""
    with ThreadPoolExecutor(2) as pool:
        thumbnails = pool.map(thumbnail, (frame.path for frame in frames))
        page = render(title, zip(frames, thumbnails, strict=True), len(frames))
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_text(page, encoding="utf-8")


def thumbnail(path: Path) -> str | None:
    """The photo as a data URI, upright sRGB JPEG, long side at most 320 px; None when it is no usable image."""
    from PIL import Image

    from chalicelib.images.working_copy import Unusable, prepare

    try:
        copy = Image.open(BytesIO(prepare(path.read_bytes()).jpeg))
    except (Unusable, OSError):
        return None
    copy.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
    jpeg = BytesIO()
    copy.save(jpeg, "JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def render(title: str, frames: Iterable[tuple[Frame, str | None]], total: int) -> str:
    """The page. frames: each with its thumbnail's data URI, in the order of their ranks."""
    items = "\n".join(_item(frame, picture) for frame, picture in frames)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<title>{escape(title)} - contact sheet</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="note">{total} {"photo" if total == 1 else "photos"}, the most engaging first, as the model predicts it.</p>
</header>
<main>
<ol>
{items}
</ol>
</main>
<footer>A score is a percentile among the photos that the model was trained on. The bar shows the range
that holds 80 % of the outcomes of photos like it; the reasons are in score points.</footer>
</body>
</html>
"""


def _item(frame: Frame, picture: str | None) -> str:
    entry = frame.entry
    return (
        f"<li><figure{'' if entry.score is not None else ' class="failed"'}>"
        f"{_print(frame, picture)}{_mark(entry)}<figcaption>{_line(frame)}"
        f"{_judgment(entry) if entry.score is not None else _failure(entry)}</figcaption></figure></li>"
    )


def _print(frame: Frame, picture: str | None) -> str:
    if picture is None:
        return '<div class="print"><p>No picture</p></div>'
    rank = f"Rank {frame.entry.rank}" if frame.entry.score is not None else "Not ranked"
    return f'<div class="print"><img alt="{rank}: {escape(frame.file)}" src="{picture}"></div>'


def _mark(entry: contract.Entry) -> str:
    """The pencil's ring around the first frames."""
    if entry.score is None or entry.rank > MARKED:
        return ""
    path = RING[(entry.rank - 1) % len(RING)]
    return (
        f'<svg class="mark" viewBox="0 0 120 90" preserveAspectRatio="none" aria-hidden="true"><path d="{path}"/></svg>'
    )


def _line(frame: Frame) -> str:
    entry, name = frame.entry, escape(frame.file)
    score = f'<span class="score">{entry.score:.0f}</span>' if entry.score is not None else ""
    return (
        f'<div class="line"><span class="number">{entry.rank}</span>'
        f'<span class="name" title="{name}">{name}</span>{score}</div>'
    )


def _judgment(entry: contract.Entry) -> str:
    return _bar(entry) + _odds(entry) + _reasons(entry)


def _bar(entry: contract.Entry) -> str:
    if entry.interval is None or entry.score is None:
        return ""
    low, high = entry.interval
    said = f"Score {entry.score:.0f} of 100, 80 % interval {low:.0f} to {high:.0f}"
    return (
        f'<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'<rect class="track" y="4" width="100" height="2"/>'
        f'<rect class="band" x="{low:.1f}" y="3" width="{max(high - low, 0.5):.1f}" height="4"/>'
        f'<rect class="tick" x="{min(max(entry.score - 0.6, 0), 98.8):.1f}" width="1.2" height="10"/></svg>'
    )


def _odds(entry: contract.Entry) -> str:
    low, high = entry.interval or (0, 100)
    odds = f"; beats the next: {entry.beats_next * 100:.0f} %" if entry.beats_next is not None else ""
    warning = {"edge": "; rather unlike the training photos", "out": "; unlike the training photos"}
    return f"<p>{low:.0f} to {high:.0f}{odds}{warning.get(entry.domain or 'in', '')}</p>"


def _reasons(entry: contract.Entry) -> str:
    rows = "".join(f"<li><b>{reason.effect:+.0f}</b> {escape(reason.text)}</li>" for reason in entry.reasons)
    return f'<ul class="reasons">{rows}</ul>' if rows else ""


def _failure(entry: contract.Entry) -> str:
    return f'<p class="reason">{escape(entry.reason or "No score")}</p>'
