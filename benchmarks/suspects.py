"""How many wrong labels are found: ``python -m benchmarks.suspects`` writes SUSPECTS.md.

Labels of scikit-learn's digits are flipped, networks that never saw a sample say what it is (five
folds), and ``%mlgrid --only suspect`` says whose label may be wrong. The same every time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvtrack_magics.tasks.classification.suspects import suspicion

PAGE = Path(__file__).parent / "SUSPECTS.md"
FLIPS = 200
SEEDS = range(5)


def planted(seed: int, *, confused: bool) -> str:
    """Return a row of the table; ``confused`` flips go to the class that looks most alike."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_predict
    from sklearn.neural_network import MLPClassifier

    images, true = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    flipped = rng.permutation(len(true))[:FLIPS]
    labels = true.copy()
    if confused:
        means = np.stack([images[true == k].mean(axis=0) for k in range(10)])
        apart = np.linalg.norm(means[:, None] - means, axis=2) + np.eye(10) * 1e9
        labels[flipped] = apart.argmin(axis=1)[labels[flipped]]
    else:
        labels[flipped] = (labels[flipped] + rng.integers(1, 10, FLIPS)) % 10
    network = MLPClassifier((64,), alpha=1.0, max_iter=30, early_stopping=True, random_state=seed)
    said = cross_val_predict(network, images / 16, labels, cv=5, method="predict_proba")
    wrong = labels != true
    found = suspicion(labels.astype(np.int64), said)
    suspects = ~np.isnan(found)
    first = np.argsort(-np.nan_to_num(found, nan=-1.0), kind="stable")[:100]
    disagreeing = said.argmax(axis=1) != labels
    right = (said.argmax(axis=1) == true).mean()
    return (
        f"| {seed} | {'like class' if confused else 'any class'} | {right:.1%} | "
        f"{suspects.sum()} | {(suspects & wrong).sum() / suspects.sum():.1%} | "
        f"{(suspects & wrong).sum() / FLIPS:.1%} | {wrong[first].mean():.0%} | "
        f"{(disagreeing & wrong).sum() / disagreeing.sum():.1%} | "
        f"{(disagreeing & wrong).sum() / FLIPS:.1%} |"
    )


def page() -> str:
    """Return SUSPECTS.md."""
    rows = [planted(seed, confused=how) for how in (False, True) for seed in SEEDS]
    lines = "\n".join(rows)
    return f"""# Labels that may be wrong

Written by `python -m benchmarks.suspects`: {FLIPS} of scikit-learn's 1,797 digits get another
label, any or that of the digit whose mean picture is most alike. A network of 64 units says what
each picture is, trained in five folds on the labels as they are then, so that it has not seen the
label that it judges. *Precision* is the share of the suspects whose label was flipped, *recall*
the share of the flipped ones that are suspects; beside them all samples that the network has wrong
(`--only wrong`). *right* is how often the network says the true digit, *first 100* the precision
of those that are most suspect.

| seed | flipped to | right | suspects | precision | recall | first 100 | wrong: precis. | recall |
|--:|---|--:|--:|--:|--:|--:|--:|--:|
{lines}
"""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
