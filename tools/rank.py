"""Rank photos: python -m tools.rank DIR|FILES...

Uploads them, waits for their scores, prints the ranked table and writes a contact sheet. Without an address it uses the
local cloud that runs here, or starts one for as long as it takes. More than 200 photos are ranked in several rankings
and merged by score, a percentile of the model's training photos that means the same in each of them.

Exit codes: 0 every photo is ranked, 1 some failed, 2 nothing could be ranked.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from chalicelib import contract
from tools.client import TYPES, Client, Ranked, Sent, plain
from tools.connection import Connection, connect
from tools.contact_sheet import Frame, write
from tools.progress import progress
from tools.transport import ApiError

SHEET = Path("build/contact-sheet.html")
# In a folder these are photos to somebody; what the API does not read is reported, not passed over.
SUFFIXES = frozenset({*TYPES, ".heic", ".heif", ".bmp", ".jxl"})
NOTHING = contract.Urls(preview=None, original=None)
WIDTH_OF_A_PIPE = 160


class NoPhotos(Exception):
    pass


@dataclass(frozen=True)
class Photo:
    """A file to rank. name: as it is reported: within the folder that was given, or as it was given itself."""

    path: Path
    name: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Rank what the command line names. The exit code."""
    options = parse(arguments)
    try:
        photos = find(options.photos)
        with connect(options.url, options.key, keep=options.keep) as connection:
            frames = rank(connection, photos, options)
        report(frames, as_json=options.json)
        write(options.sheet, title(options.photos), frames)
    except (NoPhotos, ApiError) as error:
        return _give_up(" ".join(str(error).split()))
    except OSError as error:
        return _give_up(f"{error.filename or options.sheet}: {error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    print(f"Contact sheet: {options.sheet}", file=sys.stderr)
    failed = sum(frame.entry.score is None for frame in frames)
    return 0 if not failed else 2 if failed == len(frames) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.rank",
        description="Rank photos by the engagement that a model predicts.",
        epilog="Exit codes: 0 every photo is ranked, 1 some failed, 2 nothing could be ranked.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="DIR|FILE", help="folders and files")
    parser.add_argument("--url", default=os.environ.get("PROOFSHEET_URL") or None, help="the API; else $PROOFSHEET_URL")
    parser.add_argument(
        "--key", default=os.environ.get("PROOFSHEET_API_KEY") or None, help="API key; else $PROOFSHEET_API_KEY"
    )
    parser.add_argument("--model", default="general", help="the model that predicts (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--sheet", type=Path, default=SHEET, metavar="PATH.html", help="contact sheet (%(default)s)")
    parser.add_argument("--collection", help="the collection that the photos are uploaded into")
    parser.add_argument("--keep", action="store_true", help="leave photos and ranking in the account")
    return parser.parse_args(arguments)


def find(given: Sequence[Path]) -> list[Photo]:
    """The photos in the folders, and below them, in the order of their names; files as given. Raises NoPhotos."""
    found: dict[Path, Photo] = {}
    for path in given:
        if not path.exists():
            raise NoPhotos(f"There is no file or folder {path}.")
        for photo in _in_folder(path) if path.is_dir() else [Photo(path, plain(str(path)))]:
            found.setdefault(photo.path.resolve(), photo)
    if not found:
        raise NoPhotos(f"There are no photos in {', '.join(map(str, given))}.")
    return list(found.values())


def _in_folder(folder: Path) -> list[Photo]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    within = [(path, path.relative_to(folder)) for path in files]
    return [
        Photo(path, plain(str(short)))
        for path, short in within
        if not any(part.startswith(".") for part in short.parts)
    ]


def title(given: Sequence[Path]) -> str:
    """What the ranking and its sheet are called."""
    names = ", ".join(plain(path.resolve().name) for path in given[:3])
    return f"{names} and {len(given) - 3} more" if len(given) > 3 else names


def rank(connection: Connection, photos: Sequence[Photo], options: argparse.Namespace) -> list[Frame]:
    """Upload, rank and clean up; best first, then what failed on the way. Raises ApiError."""
    client = connection.client
    model = _model(client, options.model)
    if len(photos) == 1 and model.id != "general" and model.version is None:
        raise ApiError(f"One photo alone gets its score by the model general or an own one, not by {options.model}.")
    with progress("Uploading") as watch:
        sent = client.upload([photo.path for photo in photos], options.collection, watch)
    images = [upload.image for upload in sent if upload.image]
    ranked = Ranked([])
    try:
        if images:
            with progress("Scoring") as watch:
                ranked = client.rank(images, options.model, title(options.photos)[:200], watch)
    finally:
        if not options.keep and not connection.passing:
            client.remove(images, ranked.rankings)
    return frames(photos, sent, ranked.entries)


def _model(client: Client, model: str) -> contract.Model:
    """Before anything is uploaded: this also finds out whether the address and the key are good."""
    known = {entry.id: entry for entry in client.models()}
    if model not in known:
        raise ApiError(f"There is no model {model}; there is {', '.join(known)}.")
    return known[model]


def frames(photos: Sequence[Photo], sent: Sequence[Sent], entries: Sequence[contract.Entry]) -> list[Frame]:
    """Each photo with what is known of it, best first; then what the API failed, then what never reached it."""
    by_image: dict[str | None, Photo] = {
        upload.image: photo for photo, upload in zip(photos, sent, strict=True) if upload.image
    }
    ranked = [Frame(by_image[entry.image].name, by_image[entry.image].path, entry) for entry in entries]
    lost = [(photo, upload) for photo, upload in zip(photos, sent, strict=True) if not upload.image]
    return ranked + [
        Frame(photo.name, photo.path, _unsent(upload, place))
        for place, (photo, upload) in enumerate(lost, len(ranked) + 1)
    ]


def _unsent(upload: Sent, place: int) -> contract.Entry:
    return contract.Entry(
        rank=place,
        image=None,
        score=None,
        interval=None,
        beats_next=None,
        reasons=[],
        similar=[],
        domain=None,
        reason=upload.reason,
        urls=NOTHING,
    )


# What is printed


def report(frames: Sequence[Frame], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([row(frame) for frame in frames], indent=1))
    else:
        table(frames)


def row(frame: Frame) -> dict[str, Any]:
    """A photo in the JSON answer. reason: why it has no score, else null."""
    entry = frame.entry
    return {
        "file": frame.file,
        "rank": entry.rank,
        "score": entry.score,
        "interval": entry.interval,
        "beats_next": entry.beats_next,
        "reasons": msgspec.to_builtins(entry.reasons),
        "domain": entry.domain,
        "reason": entry.reason,
    }


def table(frames: Sequence[Frame]) -> None:
    """The ranked table on standard output."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    ranked = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("Rank", "File", "Score", "80 % interval", "Beats next"):
        ranked.add_column(heading, justify="left" if heading == "File" else "right", overflow="fold")
    ranked.add_column("Why", overflow="fold")
    for frame in frames:
        ranked.add_row(*_cells(frame))
    Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE).print(ranked)


def _cells(frame: Frame) -> list[Any]:
    from rich.text import Text

    entry = frame.entry
    if entry.score is None or entry.interval is None:
        cells = [str(entry.rank), frame.file, "failed", "", "", entry.reason or "No score came."]
    else:
        low, high = entry.interval
        odds = "" if entry.beats_next is None else f"{entry.beats_next:.0%}"
        why = f"{entry.reasons[0].text} ({entry.reasons[0].effect:+.0f})" if entry.reasons else ""
        cells = [str(entry.rank), frame.file, f"{entry.score:.1f}", f"{low:.0f} to {high:.0f}", odds, why]
    return [Text(_printable(cell)) for cell in cells]


def _printable(text: str) -> str:
    """Without control characters: a file's name must not drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _give_up(message: str) -> int:
    print(_printable(message), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
