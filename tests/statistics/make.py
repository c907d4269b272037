"""Makes fixtures.json: what scipy says, for src/statistics to be held against.

    pip install scipy==1.17.1 && python tests/statistics/make.py
"""

import json
import pathlib

import numpy as np
from scipy import stats

CONFIDENCE = [0.8, 0.9, 0.95, 0.99]


def wilson():
    rows = []
    for hits, count in [(0, 300), (1, 10), (56, 70), (48, 80), (300, 300), (7, 1000), (5000, 100000)]:
        for confidence in CONFIDENCE:
            interval = stats.binomtest(hits, count).proportion_ci(confidence, method="wilson")
            rows.append([hits, count, confidence, interval.low, interval.high])
    return rows


def mean():
    rng = np.random.default_rng(1)
    rows = []
    for count in [2, 3, 5, 10, 40]:
        values = np.round(rng.normal(3.0, 2.0, count), 4)
        for confidence in CONFIDENCE:
            low, high = stats.t.interval(confidence, count - 1, values.mean(), stats.sem(values))
            rows.append([list(values), confidence, low, high])
    return rows


def quantile():
    rng = np.random.default_rng(2)
    rows = []
    for count, q in [(5, 0.5), (30, 0.5), (100, 0.9), (299, 0.99), (500, 0.99), (1000, 0.95)]:
        values = sorted(np.round(rng.lognormal(0, 1, count), 4))
        ends = []
        for confidence in CONFIDENCE:
            tail = (1 - confidence) / 2
            low = max((k for k in range(1, count + 1) if stats.binom.cdf(k - 1, count, q) <= tail), default=0)
            high = min((k for k in range(1, count + 1) if stats.binom.sf(k - 1, count, q) <= tail), default=0)
            ends.append([confidence, low or None, high or None])
        rows.append([values, q, ends])
    return rows


def holm():
    rng = np.random.default_rng(4)
    rows = [[0.01, 0.04, 0.03, 0.005]]
    rows += [list(rng.uniform(0, 0.2, count)) for count in [1, 2, 7, 12]]

    def adjusted(p):
        # Holm's step-down, as in R's p.adjust.
        order = np.argsort(p)
        steps = np.maximum.accumulate(np.minimum(1, (len(p) - np.arange(len(p))) * np.array(p)[order]))
        result = np.empty(len(p))
        result[order] = steps
        return list(result)

    return [[p, adjusted(p)] for p in rows]


fixtures = {
    "wilson": wilson(),
    "mean": mean(),
    "quantile": quantile(),
    "holm": holm(),
}
path = pathlib.Path(__file__).parent / "fixtures.json"
lines = [f'"{name}": {json.dumps(rows)}' for name, rows in fixtures.items()]
path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
