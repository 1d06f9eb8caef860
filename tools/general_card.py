"""The general-appeal model's card, written by the command that trains it, so that its numbers are the command's."""

from __future__ import annotations

from typing import Any

CARD = """\
# General appeal

Written by `make train-general`; do not edit. The numbers come from that command; `make bench-scoring` measures the
first table anew.

| | |
|---|---|
| Model | `general`, schema version {schema} |
| Artifact | `chalicelib/scoring/models/general.npz`, plain arrays, SHA-256 `{sha256}` |
| Trained on | {trained_on} |
| Predicts | the mean beauty rating that a panel of strangers would give |

## What it is for
A first guess at which of several photos pleases people in general, before anything is known about a customer's own
audience. A score is a percentile: 70 means that the predicted rating is higher than for 70 of 100 training photos.

It is **not** a model of a market, of advertising, of clicks or of sales. Most of what decides those is not in the
picture. It judges neither persons nor their looks, and must not be used to. It is the fallback when a customer's own
model does not pass its gate, and the model that customer models are shrunk toward.

## How it works
EfficientNet-Lite0 describes a photo in 1280 numbers; their square roots are reduced to 64 whitened principal components
and joined by the documented scalar features at 0.3 of the components' length. A support vector regression with an RBF
kernel is trained on each photo and its mirror image. Nothing was searched for automatically; square roots, mirror
images and the 0.3 were adopted after looking at the cross-validation below with the prototypes' features, so that it is
slightly optimistic.

## How good it is
Five folds; a theme (a group of near duplicates) is never on both sides. {seeds} shuffles, mean +- standard deviation
between shuffles. Every fold fits everything, calibration included, on its training part.

| {n} photos, {themes} themes | this model | scalar features alone |
|---|---|---|
| Spearman rank correlation | **{spearman:.3f}** +- {spearman_sd:.3f} | {spearman_handcrafted:.3f} |
| pairs in the right order | **{pair_accuracy:.3f}** +- {pair_accuracy_sd:.3f} | {pair_accuracy_handcrafted:.3f} |
| true percentile within the 80 % interval | {coverage_80:.3f} +- {coverage_80_sd:.3f} | |
| mean width of the interval, percentiles | {width:.0f} | |
| photos found "in" the domain | {in_domain:.3f} | |

The interval is wide because the model is: it tells a beautiful photo from a plain one, and rarely one good photo from
another. "A beats B" is calibrated on pairs of photos of unseen themes:

| pairs | promised | kept |
|---|---|---|
{reliability}

## Reasons
Reasons come from a companion, a ridge regression of the model's scores on the scalar features; an effect is in score
points and exact for the companion. The companion explains **{explanation_r2:.2f}** of the variance of the model's
scores on unseen themes (R2): a hint at what goes along with a score, not its cause, and the larger part stays
unexplained.

## Limits
- The ratings are those of one panel of strangers (104 to 368 raters a photo); another audience differs.
- The photos are web photographs of 500 x 400 pixels. Resolution, shape and orientation played no part in training, so
  they play none in the score.
- The photos show persons, scenes, objects and animals. Products as a shop shows them, art, interiors and graphics are
  few or missing, and a score carries over to other kinds of pictures poorly: on the Vessel set it still tells something
  of interiors and landscapes, little of art and nothing of the outsides of buildings, though most look "in" the domain.
- `domain` says "edge" or "out" for what is unlike the training photos in content or texture. It finds noise, flat and
  drawn pictures, but not every page of print.
- The ratings reflect what a picture shows (a beach pleases, a wreck does not) at least as much as how it was taken.

## Data and licence
The coefficients were trained on OASIS (Kurdi, Lozano and Banaji 2017) with the beauty ratings of Brielmann and Pelli
(2019), by way of the public repository ColinConwell/AffectExMachina: only photos whose stated source is Pixabay,
Wikipedia or the public domain, without distressing or sexual content. The images are never shipped, and neither are
their ratings; what ships are fitted coefficients and compressed embeddings. The embedding is EfficientNet-Lite0
(Apache-2.0), see `NOTICE`.
"""


def card(entry: dict[str, Any]) -> str:
    """entry: as the catalog has it."""
    report = entry["report"]
    rows = "\n".join(
        f"| {row['pairs']:,} | {row['promised']:.2f} | {row['kept']:.2f} |" for row in report["reliability"]
    )
    return CARD.format(**{**entry, **report, "reliability": rows, "seeds": report["shuffles"]})
