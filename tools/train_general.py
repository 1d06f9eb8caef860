"""Train the general-appeal model from the rated photographs: `make train-general`.

photos -> working copies -> features -> evaluation on unseen themes -> fit on all -> general.npz, catalog.json and the
model card. On one machine two runs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from chalicelib.features import schema
from chalicelib.scoring import catalog
from chalicelib.training import evaluation, fit, rated
from tools import general_card

CARD = Path("docs/models/general.md")
TRAINED_ON = (
    "Mean beauty ratings (1-7) of 540 OASIS photographs from Pixabay, Wikipedia and the public domain "
    "(Kurdi, Lozano and Banaji 2017; beauty: Brielmann and Pelli 2019)"
)


def main() -> int:
    try:
        folder = rated.oasis_folder()
    except rated.NoRatedPhotos as absent:
        print(absent, file=sys.stderr)
        return 2
    print("describing the photos (about four minutes the first time) ...", flush=True)
    photos = rated.load(folder)
    print("evaluating on unseen themes (about two minutes) ...", flush=True)
    quality = evaluation.evaluate(photos)
    model = fit.fit_model(photos)
    entry = _entry(model.dump(), quality.rounded() | {"explanation_r2": round(float(model.companion.fidelity), 4)})
    _register(entry)
    CARD.parent.mkdir(parents=True, exist_ok=True)
    CARD.write_text(general_card.card(entry), encoding="utf-8")
    print(json.dumps(entry, indent=2))
    return 0


def _entry(artifact: bytes, report: dict[str, Any]) -> dict[str, Any]:
    catalog.folder().mkdir(exist_ok=True)
    (catalog.folder() / "general.npz").write_bytes(artifact)
    return {
        "id": "general",
        "name": "General appeal",
        "kind": "general",
        "n": report["n"],
        "trained_on": TRAINED_ON,
        "schema": schema.SCHEMA_VERSION,
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "report": report,
    }


def _register(entry: dict[str, Any]) -> None:
    """Put the entry into the catalog; other models stay."""
    path = catalog.folder() / "catalog.json"
    listed = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    others = [each for each in listed if each["id"] != entry["id"]]
    path.write_text(json.dumps([entry, *others], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
