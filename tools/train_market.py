"""Train one market model, or all of them: `make train-market MARKET=animals`, `make train-markets`.

data set -> features -> judged on unseen themes beside the general model -> fit on all. A market that beats the general
model ships: artifact, entry in the models' catalog, card. One that does not is taken from them. Either way the verdict
is recorded, and the index of the cards is written anew. On one machine two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.features import schema
from chalicelib.scoring import catalog
from chalicelib.training import markets
from tools import market_card, market_data
from tools.market_data import Listed

MARKETS = Path("tools/markets.json")
CARDS = Path("docs/models")
TRIED = "tried.json"


@dataclass(frozen=True)
class Shelf:
    """models: folder of the artifacts and their catalog.json. cards: of the cards, the index and what was tried."""

    models: Path
    cards: Path

    def entries(self) -> dict[str, dict[str, Any]]:
        return _by_id(self.models / "catalog.json")

    def tried(self) -> dict[str, dict[str, Any]]:
        return _by_id(self.cards / TRIED)

    def record(self, tried: dict[str, Any]) -> None:
        """Keep what came of it, and write the index."""
        self.cards.mkdir(parents=True, exist_ok=True)
        verdicts = dict(sorted((self.tried() | {tried["id"]: tried}).items()))
        _write(self.cards / TRIED, list(verdicts.values()))
        (self.cards / "README.md").write_text(market_card.index(self.entries(), verdicts), encoding="utf-8")

    def put(self, entry: dict[str, Any], artifact: bytes) -> None:
        self.models.mkdir(parents=True, exist_ok=True)
        self.cards.mkdir(parents=True, exist_ok=True)
        (self.models / f"{entry['id']}.npz").write_bytes(artifact)
        (self.cards / f"{entry['id']}.md").write_text(market_card.card(entry), encoding="utf-8")
        self._list(self.entries() | {entry["id"]: entry})

    def take_away(self, market: str) -> None:
        """From the catalog first, so that it never names what is not there."""
        self._list({each: entry for each, entry in self.entries().items() if each != market})
        (self.models / f"{market}.npz").unlink(missing_ok=True)
        (self.cards / f"{market}.md").unlink(missing_ok=True)

    def _list(self, entries: dict[str, dict[str, Any]]) -> None:
        """The general model first, the markets by their ids."""
        if entries or (self.models / "catalog.json").is_file():
            order = sorted(entries, key=lambda model: (model != "general", model))
            _write(self.models / "catalog.json", [entries[model] for model in order])


def _by_id(path: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return {row["id"]: row for row in rows}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """0 when every market was tried, shipped or not; 2 when one could not be."""
    options = _options(argv)
    listed = market_data.listed(options.markets)
    unknown = set(options.market) - set(listed)
    if unknown:
        print(f"No market {', '.join(sorted(unknown))}; {options.markets} has {', '.join(listed)}.", file=sys.stderr)
        return 2
    shelf = Shelf(options.models, options.cards)
    try:
        for market in options.market or listed:
            train(listed[market], shelf)
    except (market_data.NoData, markets.TooLittle) as reason:
        print(f"{market}: {reason}", file=sys.stderr)
        return 2
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("market", nargs="*", help="ids of markets; all when none is named")
    parser.add_argument("--markets", type=Path, default=MARKETS, help="the catalog file")
    parser.add_argument("--models", type=Path, default=catalog.folder(), help="where artifacts and catalog.json go")
    parser.add_argument("--cards", type=Path, default=CARDS, help="where cards and their index go")
    return parser.parse_args(argv)


def train(listed: Listed, shelf: Shelf) -> None:
    """Raises NoData, TooLittle."""
    print(f"{listed.id}: describing the photos ...", flush=True)
    market = market_data.load(listed)
    markets.check(market)
    print(f"{listed.id}: judging on unseen themes ...", flush=True)
    verdict = markets.judge(market)
    if verdict.ships:
        fitted = markets.fit_market(market, market_data.shipped_general())
        artifact = fitted.model.dump()
        report = verdict.rounded() | {
            "explanation_r2": round(float(fitted.model.companion.fidelity), 4),
            "own_weight": fitted.weight,
        }
        shelf.put(_entry(listed, artifact, report), artifact)
    else:
        shelf.take_away(listed.id)
    shelf.record(_tried(listed, verdict))
    print(json.dumps(_tried(listed, verdict)), flush=True)


def _entry(listed: Listed, artifact: bytes, report: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": listed.id,
        "name": listed.name,
        "kind": "market",
        "n": report["n"],
        "trained_on": listed.trained_on.format(n=report["n"]),
        "labels": listed.labels,
        "predicts": listed.predicts,
        "licence": listed.licence,
        "shared_with_general": listed.shared_with_general,
        "schema": schema.SCHEMA_VERSION,
        "space": catalog.entries()["general"]["sha256"],
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "report": report,
    }


def _tried(listed: Listed, verdict: markets.Verdict) -> dict[str, Any]:
    return {"id": listed.id, "name": listed.name, "labels": listed.labels, "ships": verdict.ships} | verdict.rounded()


if __name__ == "__main__":
    sys.exit(main())
