"""The cards of market models and the index of all cards, written by the command that trains them."""

from __future__ import annotations

from typing import Any

CARD = """\
# {name}

Written by `make train-market MARKET={id}`; do not edit. The numbers come from that command.

| | |
|---|---|
| Model | `{id}`, schema version {schema} |
| Artifact | `chalicelib/scoring/models/{id}.npz`, plain arrays, SHA-256 `{sha256}` |
| Trained on | {trained_on} |
| Predicts | {predicts} |

## What it is for
A first guess at which of several photos of this kind pleases, before anything is known about a customer's own audience.
A score is a percentile: 70 means that the prediction is higher than for 70 of 100 training photos of this market, so it
is not comparable with a score of another model.

{purpose}

## How it works
The photo is described as for the general model, in the very space that the general model (SHA-256 `{space}`) ships
with: 64 whitened principal components of an embedding, joined by the documented scalar features. A support vector
regression with the general model's fixed settings is trained on the market's photos and their mirror images. Its
prediction has a weight of **{own_weight:.1f}**; the rest is the general model's. The weight, one of eleven, is the one
that ranked photos of unseen themes best.

## How good it is
Five folds; a theme (a group of near duplicates) is never on both sides. {shuffles} shuffles, mean +- standard deviation
between shuffles. Every fold fits the market's model, its weight and its calibration on its training part.
{general_in_folds}

| {n} photos, {themes} themes | Spearman rank correlation | pairs in the right order |
|---|---|---|
| this model | **{spearman:.3f}** +- {spearman_sd:.3f} | **{pair_accuracy:.3f}** +- {pair_accuracy_sd:.3f} |
| the general model | {spearman_general:.3f} | {pair_accuracy_general:.3f} |
| the market's own photos alone | {spearman_own:.3f} | |
| scalar features alone | {spearman_handcrafted:.3f} | {pair_accuracy_handcrafted:.3f} |

It gains **{gain:.3f}** in rank correlation over the general model; 90 % interval {gain_low:.3f} to {gain_high:.3f}, by
a bootstrap over themes.

| | |
|---|---|
| true percentile within the 80 % interval | {coverage_80:.3f} +- {coverage_80_sd:.3f} |
| mean width of the interval, percentiles | {width:.0f} |
| photos found "in" the domain | {in_domain:.3f} |

"A beats B" on pairs of photos of unseen themes:

| pairs | promised | kept |
|---|---|---|
{reliability_rows}

## Reasons
Reasons come from a companion, a ridge regression of the model's scores on the scalar features; an effect is in score
points and exact for the companion. The companion explains **{explanation_r2:.2f}** of the variance of the model's
scores on unseen themes (R2): a hint at what goes along with a score, not its cause.

## Limits
- It knows {n} photos. `domain` says "edge" or "out" for what is unlike them; other kinds of photos belong to the
  general model.
- The ratings or posts are those of one source; another audience differs.
- The general model's limits (its card) hold here too.

## Data and licence
{trained_on}. {licence} The images and their labels are never shipped. The embedding is EfficientNet-Lite0
(Apache-2.0), see `NOTICE`.
"""

PURPOSES = {
    "rated": (
        "It is **not** a model of advertising, of clicks or of sales. Customers' models may be shrunk toward it where\n"
        "their images lie in its domain. It judges neither persons nor their looks, and must not be used to."
    ),
    "engagement": (
        "It learned from the engagement of posts: within each account, with what the metadata explains taken out. It\n"
        "is **not** a prior of customers' models, which are never shrunk toward other accounts' engagement. It judges\n"
        "neither persons nor their looks, and must not be used to."
    ),
}

GENERAL_IN_FOLDS = {
    True: "The general model learned from the same set, so every fold trains it anew without the themes asked about.",
    False: "The general model is the one that ships; it never learned from these photos.",
}

INDEX = """\
# Models that ship

Written by `make train-market MARKET=...` and `make train-markets`; do not edit. A customer's own models have reports
instead of cards, see `docs/your-own-model.md`.

| model | photos | Spearman, unseen themes | pairs in the right order | 80 % interval covers |
|---|---|---|---|---|
{ships}

## Markets that were tried

A market model ships only when it beats the general model on the market's own photos. The rule was fixed before any
market was looked at: over five shuffles of five folds with no theme on two sides, with the general model trained anew
without the themes in question wherever it had learned from them, the mean gain in Spearman rank correlation is above
zero, and so is the lower end of its 90 % interval (bootstrap over themes). Nothing is tuned for a market but the weight
of its own machine beside the general model, within the folds. The photos of all folds are ranked together. That is a
little hard on small markets: each fold's model has a level of its own, while the general model's hardly moves.

| market | photos | themes | general | own photos alone | both (weight of own) | gain | 90 % interval | ships |
|---|---|---|---|---|---|---|---|---|
{tried}

{conclusion}
"""


def card(entry: dict[str, Any]) -> str:
    """entry: as the catalog has it."""
    report = entry["report"]
    reliability = "\n".join(
        f"| {row['pairs']:,} | {row['promised']:.2f} | {row['kept']:.2f} |" for row in report["reliability"]
    )
    return CARD.format(
        **{**report, **entry},
        reliability_rows=reliability,
        purpose=PURPOSES[entry["labels"]],
        general_in_folds=GENERAL_IN_FOLDS[entry["shared_with_general"]],
    )


def index(entries: dict[str, dict[str, Any]], tried: dict[str, dict[str, Any]]) -> str:
    """entries: the models' catalog. tried: the last verdict on each market that was tried."""
    return INDEX.format(
        ships="\n".join(_shipped(entry) for entry in entries.values()),
        tried="\n".join(_tried(verdict) for verdict in tried.values()),
        conclusion=_conclusion([verdict["name"] for verdict in tried.values() if verdict["ships"]]),
    )


def _conclusion(names: list[str]) -> str:
    if not names:
        return "None of them beats the general model so far, so none ships: the general model serves these photos."
    return f"Shipped: {', '.join(names)}. The others are served by the general model."


def _shipped(entry: dict[str, Any]) -> str:
    numbers = (entry["report"][name] for name in ("spearman", "pair_accuracy", "coverage_80"))
    cells = " | ".join(f"{number:.3f}" for number in numbers)
    return f"| [{entry['name']}]({entry['id']}.md), `{entry['id']}` | {entry['n']} | {cells} |"


def _tried(verdict: dict[str, Any]) -> str:
    return (
        "| {name} | {n} | {themes} | {spearman_general:.3f} | {spearman_own:.3f} | {spearman:.3f} ({weight:.2f}) "
        "| {gain:+.3f} | {gain_low:+.3f} to {gain_high:+.3f} | {verdict} |"
    ).format(**verdict, verdict="yes" if verdict["ships"] else "no")
