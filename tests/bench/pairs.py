# SPDX-License-Identifier: Apache-2.0
"""
Figures from paired rounds: A B A B ..., the ratio within each pair, then the median of the ratios
and between which the middle ones lie. A slow minute of the machine falls on both halves of a pair.
"""
import collections
import statistics

Row = collections.namedtuple("Row", "what target measured")


def paired(measure_a, measure_b, n_rounds):
    """n pairs (a, b); every other one is taken in reverse, so that no side is always the first."""
    pairs = []
    for number in range(n_rounds):
        if number % 2:
            b = measure_b()
            pairs.append((measure_a(), b))
        else:
            pairs.append((measure_a(), measure_b()))
    return pairs


def middle(values):
    """Median, and the values between which the middle half lies."""
    values = sorted(values)
    cut = len(values) // 4
    return statistics.median(values), values[cut], values[-1 - cut]


def spread(values, digits=2):
    median, low, high = middle(values)
    return f"{median:.{digits}f} [{low:.{digits}f} to {high:.{digits}f}, n={len(values)}]"


def ratio(pairs, digits=2):
    """Of b over a."""
    return spread([b / a for a, b in pairs], digits)


def difference(pairs, scale=1, digits=1):
    """Of b less a."""
    return spread([(b - a) / scale for a, b in pairs], digits)
