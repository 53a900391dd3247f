"""Nuclei drawn for tests, and how well those that a segmenter finds fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def match_labels(truth: NDArray[Any], found: NDArray[Any], iou: float = 0.5) -> NDArray[np.int64]:
    """Pair the objects of two label images, one to one, with the largest sum of intersection over union.

    Returns
    -------
    (n, 2) pairs of labels, of truth and of found, that overlap by at least `iou`.
    """
    truth, found = np.asarray(truth), np.asarray(found)
    assert truth.shape == found.shape
    true_names, t = np.unique(truth, return_inverse=True)
    found_names, f = np.unique(found, return_inverse=True)
    shared = np.zeros((len(true_names), len(found_names)), np.int64)
    np.add.at(shared, (t.ravel(), f.ravel()), 1)
    union = shared.sum(1)[:, None] + shared.sum(0)[None] - shared
    overlap = np.where(shared > 0, shared / union, 0.0)
    overlap[true_names <= 0] = 0
    overlap[:, found_names <= 0] = 0
    overlap[overlap < iou] = 0
    rows, columns = linear_sum_assignment(-overlap)
    kept = overlap[rows, columns] > 0
    return np.stack([true_names[rows[kept]], found_names[columns[kept]]], axis=1).astype(np.int64)


def detection_f1(truth: NDArray[Any], found: NDArray[Any], iou: float = 0.5) -> float:
    """F1 of objects found: twice the pairs over the objects of both; 1 where both are empty."""
    n_truth, n_found = (np.count_nonzero(np.unique(part) > 0) for part in (np.asarray(truth), np.asarray(found)))
    if n_truth + n_found == 0:
        return 1.0
    return 2 * len(match_labels(truth, found, iou)) / (n_truth + n_found)


def disks(centres, radius=11.0, side=200):
    """Labels of disks, and an image of them over a ground of 100 counts."""
    y, x = np.mgrid[:side, :side]
    labels = np.zeros((side, side), np.int32)
    for number, (cy, cx) in enumerate(centres, 1):
        labels[(np.hypot(y - cy, x - cx) < radius) & (labels == 0)] = number
    return labels, 100.0 + 300.0 * (labels > 0)
