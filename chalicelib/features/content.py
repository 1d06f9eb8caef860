"""What the photograph shows: an embedding for the models and ImageNet labels for people."""

from functools import lru_cache
from typing import Any

import numpy as np

from chalicelib.features import effnet
from chalicelib.features.photo import Photo

LABELS = effnet.WEIGHTS.with_name("labels.txt")
LABELS_KEPT = 5


def extract(photo: Photo) -> dict[str, Any]:
    """The property `content`.

    confidence: probability of the most probable label, 0-1.
    label_entropy: bits, 0 (one sure label) to about 10 (all of the 1000 labels alike).
    embedding: (1280,) float32, see `embed`.
    labels: the five most probable, {"name", "probability"}, best first.
    """
    output = _run(photo)
    probabilities = softmax(output.logits)
    best = np.argsort(-probabilities, kind="stable")[:LABELS_KEPT]
    return {
        "confidence": float(probabilities[best[0]]),
        "label_entropy": entropy(probabilities),
        "embedding": output.embedding,
        "labels": [{"name": labels()[index], "probability": float(probabilities[index])} for index in best],
    }


def embed(photo: Photo) -> effnet.Array:
    """The network's description of the whole picture: (1280,) float32, each 0 to 6."""
    return _run(photo).embedding


def _run(photo: Photo) -> effnet.Output:
    """The whole picture is squeezed into the network's square, so that nothing at its edges is lost."""
    return effnet.network()(photo.resized(effnet.SIZE, effnet.SIZE))


def softmax(logits: effnet.Array) -> effnet.Array:
    """Probabilities that add up to 1."""
    exponentials: effnet.Array = np.exp(logits - logits.max())
    return exponentials / exponentials.sum(dtype=np.float32)


def entropy(probabilities: effnet.Array) -> float:
    """Shannon entropy in bits."""
    likely = probabilities[probabilities > 0]
    return float(-(likely * np.log2(likely)).sum())


@lru_cache(maxsize=1)
def labels() -> tuple[str, ...]:
    """The 1000 class names in the order of the network's outputs."""
    return tuple(LABELS.read_text(encoding="utf-8").splitlines())
