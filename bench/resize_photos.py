"""The twelve photos that `bench.resize` measures with: 6 to 20 megapixels, photographs of two Debian packages.

Six are the photographers' own files (four progressive, two baseline); the others are the same sort of file coded anew
as baseline JPEG of quality 92, so that eight of twelve are baseline, as on most cameras: two of them with a Display P3
profile, one lying on its side with an EXIF orientation. None is enlarged.

`apt-get` keeps its lists in a folder of ours, so neither root nor the system's own lists are needed.
`python -m bench.resize_photos FOLDER` is run by the benchmark's own interpreter: the profile is the one that libvips
carries.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image, ImageCms

if TYPE_CHECKING:
    Change = Literal["p3", "rotated", "plain"] | None

PACKAGES = ("lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04")
PHOTOS: dict[str, Change] = {
    "Bridge_by_Sander_Klootwijk": None,
    "Dragonfly_by_Bolly": None,
    "Kleiber_by_Lukas_Baubkus": None,
    "free_by_Peter_Nerlich": None,
    "picosdeeuropa_by_Aitzol_Berasategi": None,
    "seeding_by_Clements_Engelhardt": None,
    "aitzgorri_by_Aitzol_Berasategi": "plain",
    "greentock_by_Peter_Nerlich": "plain",
    "life_by_Aitzol_Berasategi": "plain",
    "friends_by_Aitzol_Berasategi": "p3",
    "sunset_by_Aitzol_Berasategi": "p3",
    "Wine_by_Jakkub_Mede": "rotated",
}
LARGEST = "Kleiber_by_Lukas_Baubkus"
QUALITY = 92
ORIENTATION, TURNED_RIGHT = 0x0112, 6


def paths(folder: Path) -> list[Path]:
    return [folder / f"{name}.jpg" for name in PHOTOS]


def largest(folder: Path) -> Path:
    """The one of 20 megapixels, baseline."""
    return folder / f"{LARGEST}.jpg"


def made(folder: Path) -> bool:
    return all(path.exists() for path in paths(folder))


def obstacle() -> str | None:
    """In one line why the photos cannot be made on this machine; None when nothing is known to stand in the way."""
    absent = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    return f"the photos come from Debian packages, and {' and '.join(absent)} is missing" if absent else None


def make(folder: Path) -> None:
    """Download, unpack and code the photos. Raises subprocess.CalledProcessError where apt-get has no such package."""
    folder.mkdir(parents=True, exist_ok=True)
    originals = unpacked(folder.parent / "packages")
    for name, change in PHOTOS.items():
        unfinished = folder / f"{name}.part"
        unfinished.write_bytes(changed(originals / f"{name}.jpg", change))
        unfinished.rename(folder / f"{name}.jpg")


def unpacked(folder: Path) -> Path:
    for state in ("lists", "cache"):
        (folder / state / "partial").mkdir(parents=True, exist_ok=True)
    options = [
        *("-qq", "-o", f"Dir::State::Lists={folder.absolute()}/lists", "-o", f"Dir::Cache={folder.absolute()}/cache"),
        *("-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"),
    ]
    subprocess.run(["apt-get", *options, "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["apt-get", *options, "download", *PACKAGES], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder / "files"], check=True)
    return folder / "files" / "usr" / "share" / "backgrounds"


def changed(original: Path, change: Change) -> bytes:
    if change is None:
        return original.read_bytes()
    with Image.open(original) as image:
        return {"plain": coded, "p3": in_display_p3, "rotated": lying}[change](image)


def coded(image: Image.Image, **metadata: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0", **metadata)
    return stream.getvalue()


def in_display_p3(image: Image.Image) -> bytes:
    profile = import_module("pyvips").Operation.call("profile_load", "p3")
    wide = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), io.BytesIO(profile))
    return coded(wide or image, icc_profile=profile)


def lying(image: Image.Image) -> bytes:
    """The same picture to look at, stored a quarter turn to the left with the orientation that undoes it."""
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    return coded(image.transpose(Image.Transpose.ROTATE_90), exif=exif)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
