"""What `make run` shows first: scikit-image's photographs ranked, the best one at a size, and where to go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tools.client import Client
from tools.connection import DEMO_PASSWORD, DEMO_USER, demo_token
from tools.contact_sheet import write
from tools.progress import progress
from tools.rank import SHEET, Photo, frames, table
from tools.transport import ApiError

COLLECTION = "sample-photos"
TITLE = "Sample photos"
SAMPLES = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "coins.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)


def main(base_url: str, env: Mapping[str, str]) -> None:
    """Rank the samples as the demo user of the local cloud at `base_url`. Raises ApiError.

    env: of the local cloud, see localcloud.stack.environment.
    """
    client = Client(base_url, demo_token(env))
    clear(client)
    photos = samples()
    with progress("Uploading") as watch:
        sent = client.upload([photo.path for photo in photos], COLLECTION, watch)
    with progress("Scoring") as watch:
        ranked = client.rank([upload.image for upload in sent if upload.image], name=TITLE, watch=watch)
    shown = frames(photos, sent, ranked.entries)
    table(shown)
    try:
        write(SHEET, TITLE, shown)
    except OSError as error:
        raise ApiError(f"{SHEET} cannot be written: {error.strerror}") from error
    best = next((entry.image for entry in ranked.entries if entry.image and entry.score is not None), None)
    delivered = client.address(best, "w800,h450,fit:cover,gravity:smart", "webp") if best else "no photo was ranked"
    print(directions(base_url, delivered, ranked.rankings[-1]), flush=True)


def samples() -> list[Photo]:
    """Those of the sample photographs that the installed scikit-image carries."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [Photo(folder / name, name) for name in SAMPLES if (folder / name).exists()]


def clear(client: Client) -> None:
    """Take away what an earlier run left: the local cloud keeps its state."""
    rankings = [ranking.id for ranking in client.rankings() if ranking.name == TITLE]
    client.remove([image.id for image in client.images(COLLECTION)], rankings)


def directions(base_url: str, delivered: str, ranking: str) -> str:
    return f"""
The photos in this order:  {base_url}/dashboard#/rankings/{ranking}
Sign in there as:          {DEMO_USER} with {DEMO_PASSWORD}
The same as one file:      {SHEET.resolve().as_uri()}
The best, 800 x 450, WebP: {delivered}
Rank your own:             make rank PHOTOS=folder
The API:                   {base_url}, described at {base_url}/docs
A token for it:            .venv/bin/python -m tools.sign_in you@mail.example --sign-up
"""
