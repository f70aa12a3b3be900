"""Figures of merit of probabilities against labels, and what is tuned with them.

Labels are 1 (visible), 0 (absent) or −1 (neither: left out everywhere).
"""

from __future__ import annotations

from typing import Any

import numpy as np

ECE_RANGE = (0.05, 0.95)
"""Probabilities outside are so sure, and so many, that they would hide miscalibration."""

_LOWEST, _HIGHEST = 0.5, 0.99
"""Limits of thresholds: below, absence is likelier; above, a handful of spectra would decide."""


_PLATT_SIGMA = np.array([0.3, 0.5])
"""How far an element's log slope and shift may be from the common ones without much reason."""


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logits))


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, n_bins: int = 10
) -> float:
    """Mean distance between the probability said and the share that came true, 0…1.

    Guo et al., "On calibration of modern neural networks" (ICML 2017), over probabilities
    between 0.05 and 0.95. NaN when there are none.
    """
    low, high = ECE_RANGE
    use = (labels >= 0) & (probabilities > low) & (probabilities < high)
    p, y = probabilities[use], labels[use]
    if p.size == 0:
        return float("nan")
    place = np.clip(((p - low) / (high - low) * n_bins).astype(int), 0, n_bins - 1)
    said = np.bincount(place, p, n_bins)
    true = np.bincount(place, y, n_bins)
    return float(np.abs(said - true).sum() / p.size)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The factor T that makes sigmoid(logits / T) most likely (temperature scaling, ibid.)."""
    from scipy.optimize import minimize_scalar

    use = labels >= 0
    x, y = logits[use].astype(np.float64), labels[use]

    def loss(log_t: float) -> float:
        scaled = x * np.exp(-log_t)
        return float((np.logaddexp(0.0, scaled) - y * scaled).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-1.5, 1.5), method="bounded").x))


def fit_platt(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope a and shift b of each element that make sigmoid(a·logits + b) most likely.

    Platt (Advances in Large Margin Classifiers, 1999), one element at a time, held to the common
    temperature where an element has few spectra to say otherwise.

    Parameters
    ----------
    logits : ndarray, shape (n, element)
    labels : ndarray, shape (n, element)

    Returns
    -------
    slope, shift : ndarray, shape (element,)
    """
    from scipy.optimize import minimize

    common = 1.0 / fit_temperature(logits, labels)
    slope = np.full(logits.shape[1], common)
    shift = np.zeros(logits.shape[1])
    for element in range(logits.shape[1]):
        use = labels[:, element] >= 0
        x, y = logits[use, element].astype(np.float64), labels[use, element].astype(np.float64)

        def loss(at: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> tuple[float, np.ndarray]:
            factor = common * np.exp(at[0])
            scaled = factor * x + at[1]
            off = sigmoid(scaled) - y
            value = (np.logaddexp(0.0, scaled) - y * scaled).sum()
            value += 0.5 * ((at / _PLATT_SIGMA) ** 2).sum()
            slope_by = np.array([(off * factor * x).sum(), off.sum()])
            return float(value), slope_by + at / _PLATT_SIGMA**2

        found = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
        slope[element], shift[element] = common * np.exp(found[0]), found[1]
    return slope, shift


def choose_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, false_alarms_per_spectrum: float
) -> np.ndarray:
    """The thresholds that find most for a given number of false alarms, all elements together.

    The budget goes where it finds most: of each element that threshold is taken at which one more
    false alarm is worth the same number of finds (a Lagrange multiplier). An equal rate for every
    element would let the rare ones, which are seldom asked for, cost as much as the common.

    Parameters
    ----------
    probabilities : ndarray, shape (n, element), 0…1
    labels : ndarray, shape (n, element)
    false_alarms_per_spectrum : float
        Elements reported though absent, mean over the spectra.

    Returns
    -------
    ndarray, float32, shape (element,), within 0.5…0.99
    """
    candidates = np.linspace(_LOWEST, _HIGHEST, 50)
    n_elements = probabilities.shape[1]
    hits, alarms = np.zeros((2, n_elements, candidates.size))
    for element in range(n_elements):
        p, y = probabilities[:, element], labels[:, element]
        for counted, value in ((hits, 1), (alarms, 0)):
            those = np.sort(p[y == value])
            counted[element] = those.size - np.searchsorted(those, candidates)

    def at(price: float) -> tuple[np.ndarray, float]:
        best = (hits - price * alarms).argmax(axis=1)
        return best, float(alarms[np.arange(n_elements), best].sum())

    budget = false_alarms_per_spectrum * len(probabilities)
    cheap, dear = 0.0, 1e4
    if at(cheap)[1] <= budget:
        dear = cheap
    for _ in range(60):
        price = 0.5 * (cheap + dear)
        cheap, dear = (price, dear) if at(price)[1] > budget else (cheap, price)
    return candidates[at(dear)[0]].astype(np.float32)


def binary_scores(present: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, precision, recall and F1 over all (spectrum, element) pairs, each 0…1."""
    known = labels >= 0
    hits = int((present & (labels == 1)).sum())
    alarms = int((present & (labels == 0)).sum())
    misses = int((~present & (labels == 1)).sum())
    right = hits + int((~present & (labels == 0)).sum())
    return {
        "accuracy": right / max(int(known.sum()), 1),
        "precision": hits / max(hits + alarms, 1),
        "recall": hits / max(hits + misses, 1),
        "f1": 2 * hits / max(2 * hits + alarms + misses, 1),
        "false_alarms_per_spectrum": alarms / max(len(labels), 1),
    }


def roc_by_element(
    probabilities: np.ndarray, labels: np.ndarray, elements: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """ROC curve and the area under it for each element that occurs both ways.

    Returns
    -------
    dict
        element → {"auc", "false_alarm_rate": [...], "recall": [...], "n_present"}.
    """
    from sklearn.metrics import auc, roc_curve

    found = {}
    for index, element in enumerate(elements):
        known = labels[:, index] >= 0
        y = labels[known, index]
        if np.unique(y).size < 2:
            continue
        false_alarm_rate, recall, _ = roc_curve(y, probabilities[known, index])
        found[element] = {
            "auc": float(auc(false_alarm_rate, recall)),
            "false_alarm_rate": false_alarm_rate,
            "recall": recall,
            "n_present": int(y.sum()),
        }
    return found


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Average precision over all known (spectrum, element) pairs, 0…1; NaN without positives."""
    from sklearn.metrics import average_precision_score

    known = labels >= 0
    if not (labels[known] == 1).any():
        return float("nan")
    return float(average_precision_score(labels[known], scores[known]))


def validation_figures(
    probabilities: np.ndarray,
    labels: np.ndarray,
    thresholds: np.ndarray,
    elements: tuple[str, ...],
) -> dict[str, Any]:
    """What a card says about simulated spectra held apart; plain numbers, rounded.

    Elements that none is known to hold are left out; the rate of false alarms of one that all are
    known to hold is None.
    """
    present = probabilities >= thresholds
    by_element, errors = {}, []
    for index, element in enumerate(elements):
        p, y = probabilities[:, index], labels[:, index]
        if not (y == 1).any():
            continue
        error = expected_calibration_error(p, y)
        errors.append(error)
        absent = present[y == 0, index]
        by_element[element] = {
            "n_present": int((y == 1).sum()),
            "recall": round(float(present[y == 1, index].mean()), 4),
            "false_alarm_rate": round(float(absent.mean()), 6) if absent.size else None,
            "average_precision": round(average_precision(p, y), 4),
        }
    figures = {k: round(v, 5) for k, v in binary_scores(present, labels).items()}
    figures["average_precision"] = round(average_precision(probabilities, labels), 5)
    figures["expected_calibration_error"] = round(float(np.nanmean(errors or [np.nan])), 4)
    figures["expected_calibration_error_pooled"] = round(
        expected_calibration_error(probabilities, labels), 4
    )
    figures["n_spectra"] = len(labels)
    return {**figures, "by_element": by_element}
