"""The odds between two scored images; plain arithmetic, so that a ranking is shown without loading its model."""

import math


def beats(value_a: float, value_b: float, spread: float) -> float:
    """Probability that A's true label is the higher one; 0.5 where the values are equal.

    value_a, value_b: predicted labels of one model. spread: standard deviation of the error of their difference.
    """
    return 0.5 * (1 + math.erf((value_a - value_b) / (spread * math.sqrt(2))))
