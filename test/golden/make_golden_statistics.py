"""Golden values for test/report/statistics_golden_test.ts, from SciPy, statsmodels and rliable.

Run: python test/golden/make_golden_statistics.py    (writes test/golden/statistics.json)
Needs: pip install scipy==1.17.1 statsmodels==0.15.0 rliable==1.2.0 'pandas<3'    (rliable's own dependency fails with 3)
"""

import json
import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rliable import library, metrics
from scipy import stats
from statsmodels.stats.multitest import multipletests

# multiples of 1/64, so that sums of resamples are exact and ties are ties on both sides
SAMPLES = [
    [0.5, 0.25, 1.125],
    [-0.125, 0.75, 0.25, 0.5],
    [-0.375, 0.125, 0.25, 0.875, 1.75],
    [0.5, 0.625, 0.5, 2.0, 0.375],
    [-1.5, -0.25, 0.125, 0.25, 0.375, 1.0],
    [0.25, 0.5, 0.75, 0.125, 0.875, -0.25, 0.375, 1.5],
    [0.13, -0.41, 0.77, 0.29, 0.05, 0.61, 0.33, 0.08, -0.2, 0.9, 1.4, 0.02],
]


def mean(values, axis=-1):
    return np.mean(values, axis=axis)


def sample_case(values):
    x = np.array(values)
    n = len(x)
    interval = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    bootstrap = stats.bootstrap((x,), mean, method="BCa", n_resamples=1_000_000, batch=20_000, rng=np.random.default_rng(1))
    flips = stats.permutation_test(
        (x,), mean, permutation_type="samples", vectorized=True, n_resamples=np.inf, alternative="two-sided"
    )
    margin = stats.t.ppf(0.975, n - 1) * np.std(x, ddof=1) * math.sqrt(1 + 1 / n)
    return {
        "values": values,
        "mean": float(x.mean()),
        "sd": float(np.std(x, ddof=1)),
        "tInterval": [float(interval.low), float(interval.high)],
        "tTestP": float(stats.ttest_1samp(x, 0).pvalue),
        "predictionInterval": [float(x.mean() - margin), float(x.mean() + margin)],
        "bca": [float(bootstrap.confidence_interval.low), float(bootstrap.confidence_interval.high)],
        "signFlipP": float(flips.pvalue),
    }


def bca_formula_case(values):
    """SciPy's BCa bounds of a given small set of resampled means."""
    x = np.array(values)
    drawn = stats.bootstrap((x,), mean, method="BCa", n_resamples=199, rng=np.random.default_rng(2))
    means = np.round(drawn.bootstrap_distribution * 1024) / 1024
    drawn.bootstrap_distribution = means
    bounds = stats.bootstrap((x,), mean, method="BCa", n_resamples=0, bootstrap_result=drawn).confidence_interval
    return {"values": values, "means": sorted(means.tolist()), "bca": [float(bounds.low), float(bounds.high)]}


def seeds_needed(sd, margin):
    n = 2
    while stats.t.ppf(0.975, n - 1) * sd / math.sqrt(n) > margin:
        n += 1
    return n


def suite_case():
    rng = np.random.default_rng(3)
    arm = np.round(rng.normal([[90, 80, 70, 60]], [[0.3, 0.5, 1.0, 2.0]], size=(5, 4)), 2)  # runs x tasks
    baseline = np.round(rng.normal([[89.8, 79, 70, 59.5]], [[0.3, 0.5, 1.0, 2.0]], size=(5, 4)), 2)
    baseline[0, 0] = arm[1, 0]  # a tie
    differences = np.round(arm - baseline, 2)
    _, iqm = library.get_interval_estimates(
        {"arm": differences}, lambda scores: np.array([metrics.aggregate_iqm(scores)]), reps=20_000, random_state=np.random.RandomState(4)
    )
    _, probability = library.get_interval_estimates(
        {"arm,baseline": (arm, baseline)},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=20_000,
        random_state=np.random.RandomState(5),
    )
    return {
        "tasks": [{"arm": arm[:, t].tolist(), "baseline": baseline[:, t].tolist()} for t in range(arm.shape[1])],
        "meanDifference": float(metrics.aggregate_mean(differences)),
        "iqm": float(metrics.aggregate_iqm(differences)),
        "iqmInterval": iqm["arm"][:, 0].tolist(),
        "probabilityOfImprovement": float(metrics.probability_of_improvement(arm, baseline)),
        "probabilityInterval": probability["arm,baseline"][:, 0].tolist(),
    }


def main():
    p_values = [0.01, 0.04, 0.03, 0.005, 0.6, 0.04]
    golden = {
        "versions": {name: version(name) for name in ["numpy", "scipy", "statsmodels", "rliable"]},
        "normalQuantile": [[p, float(stats.norm.ppf(p))] for p in [1e-6, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999]],
        "normalCdf": [[x, float(stats.norm.cdf(x))] for x in [-6, -3, -1.959964, -0.1, 0, 0.5, 2, 5]],
        "tQuantile": [[p, f, float(stats.t.ppf(p, f))] for p in [0.9, 0.975, 0.995] for f in [1, 2, 3, 4, 9, 29, 200]],
        "tTwoSided": [[x, f, float(2 * stats.t.sf(x, f))] for x in [0, 0.5, 2.5, 12] for f in [1, 2, 4, 9, 30]],
        "samples": [sample_case(values) for values in SAMPLES],
        "bcaFormula": [bca_formula_case(values) for values in SAMPLES if len(values) >= 5],
        "holm": {"pValues": p_values, "adjusted": multipletests(p_values, method="holm")[1].tolist()},
        "seedsNeeded": [[sd, margin, seeds_needed(sd, margin)] for sd, margin in [(1, 1), (0.3, 0.5), (1, 0.1), (0.1, 5), (2, 3)]],
        "suite": suite_case(),
    }
    path = Path(__file__).with_name("statistics.json")
    path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
