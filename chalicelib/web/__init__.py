"""The files that browsers get: pages of our own, and vendored ones in vendor/ (see tools/vendor_web.py).

The docs page stands at `docs`, its assets at `docs/{name}`, the contract that it shows at `openapi.json`; all its
addresses are relative, and its Content-Security-Policy keeps it from asking any other host.
"""

from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def asset(name: str) -> tuple[bytes, str]:
    """A file and its content type. Raises KeyError for any name that is not one of the files for browsers."""
    path = _assets()[name]
    return path.read_bytes(), CONTENT_TYPES[path.suffix]


@lru_cache(maxsize=1)
def _assets() -> dict[str, Path]:
    """Every file that may be served, by its bare name: a name from a request never becomes a path."""
    files = [*FOLDER.iterdir(), *(FOLDER / "vendor").iterdir()]
    return {path.name: path for path in files if path.suffix in CONTENT_TYPES}
