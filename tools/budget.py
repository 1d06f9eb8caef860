"""How large the bundle may be: in all, by AWS's limit, and by library, by what was last accepted.

The recorded sizes are in `bundle_budget.json` and `compaction_budget.json` beside this module; `make package ACCEPT=1`
writes them anew.
"""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from pathlib import Path

Sizes = dict[str, float]

RECORDS = {kind: Path(__file__).with_name(f"{kind}_budget.json") for kind in ("bundle", "compaction")}
#: MiB unzipped. AWS refuses more than 250 for a function and its layers together; 8 are kept in hand. The compaction
#: has the runtime's own libraries and DuckDB, and no reason to have more.
LIMITS = {"bundle": 242.0, "compaction": 100.0}
#: MiB that a library may grow unasked: a patch release, a few modules of ours.
ALLOWANCE = 0.25

OURS = ("app.py", "chalicelib", "__pycache__")
LIBRARIES = {
    "pillow": "PIL",
    "scikit_learn": "sklearn",
    "scikit_image": "skimage",
    "pyjwt": "jwt",
    "python_dateutil": "dateutil",
    "_cffi_backend": "cffi",
    "crawler_user_agents": "crawleruseragents",
    "_duckdb": "duckdb",
    "adbc_driver_duckdb": "duckdb",
}


def library(path: str) -> str:
    """Whose file it is: "numpy.libs/x.so" and "numpy-2.5.5.dist-info/METADATA" are numpy's."""
    top = path.partition("/")[0]
    if top in OURS:
        return "proofsheet"
    name = top.partition("-")[0].partition(".")[0]
    return LIBRARIES.get(name, name)


def sizes(bundle: Path) -> Sizes:
    """MiB unzipped by library, largest first."""
    found: Sizes = defaultdict(float)
    with zipfile.ZipFile(bundle) as archive:
        for entry in archive.infolist():
            found[library(entry.filename)] += entry.file_size / 2**20
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def recorded(kind: str = "bundle") -> Sizes:
    path = RECORDS[kind]
    budget: Sizes = json.loads(path.read_text()) if path.exists() else {}
    return budget


def record(kind: str, found: Sizes) -> None:
    RECORDS[kind].write_text(json.dumps({name: round(mib, 2) for name, mib in sorted(found.items())}, indent=1) + "\n")


def excess(found: Sizes, budget: Sizes, kind: str = "bundle") -> str | None:
    """One line that says what is too large, or None."""
    total = sum(found.values())
    if total > LIMITS[kind]:
        return f"The {kind} has {total:.1f} MiB unzipped; it may have {LIMITS[kind]:.0f}."
    grown = {name: (budget.get(name, 0.0), mib) for name, mib in found.items()}
    named = [
        f"{name} from {before:.2f} to {now:.2f} MiB"
        for name, (before, now) in grown.items()
        if now > before + ALLOWANCE
    ]
    return f"The {kind} has grown: {', '.join(named)}. Slim it, or accept this with --accept." if named else None


def table(found: Sizes) -> str:
    return "\n".join(f"  {name:18}{mib:8.2f} MiB" for name, mib in found.items())
