"""The models that ship with the project, by id, as their training command recorded them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from chalicelib import contract

if TYPE_CHECKING:
    from pathlib import Path


def folder() -> Path:
    from pathlib import Path  # a millisecond that `import app` need not pay

    return Path(__file__).parent / "models"


@lru_cache(maxsize=1)
def entries() -> dict[str, dict[str, Any]]:
    """Each model's card in numbers, with the SHA-256 of its artifact."""
    listed = msgspec.json.decode((folder() / "catalog.json").read_bytes(), type=list[dict[str, Any]])
    return {entry["id"]: entry for entry in listed}


def models() -> frozenset[str]:
    return frozenset(entries())


def view(entry: dict[str, Any]) -> contract.Model:
    return contract.Model(
        id=entry["id"],
        name=entry["name"],
        kind=entry["kind"],
        state="ready",
        n=entry["n"],
        trained_on=entry["trained_on"],
        report={
            "n": entry["report"]["n"],
            "rank_correlation": entry["report"]["spearman"],
            "pair_accuracy": entry["report"]["pair_accuracy"],
            "coverage_80": entry["report"]["coverage_80"],
        },
    )
