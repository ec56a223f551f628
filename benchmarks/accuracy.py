"""Top-1 of the bundled network by class, and on emoji that it saw from other artists or never.

python benchmarks/accuracy.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import platformdirs

from affnet.evaluation.classification import classify
from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.intervals import wilson_interval
from affnet.model.source import load_source

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))


def main() -> None:
    from training import emoji
    from training.packages import fetch, members

    archive = fetch(emoji.GOOGLE, Path(platformdirs.user_cache_dir("affnet")) / "training")
    known = emoji.read_emoji(json.loads(next(members(archive, "emoji_pretty.json"))[1]))
    classifier, dataset = Classifier.of_source(load_source("emoji")), open_dataset("emoji")
    accuracy = classify(
        classifier.predict, dataset, classifier.preprocessing, labels=classifier.labels
    )
    labels = np.asarray([image.label for image in dataset.images])
    hits = np.asarray(accuracy.predicted) == labels
    codes = [image.path.stem.partition("-")[2] for image in dataset.images]
    unseen = np.asarray([known[code].is_unseen for code in codes])
    groups = {"all": np.ones_like(unseen), "seen from others": ~unseen, "never seen": unseen}
    groups |= {name: labels == index for index, name in enumerate(dataset.classes)}
    for name, group in groups.items():
        count, right = int(group.sum()), int(hits[group].sum())
        low, high = wilson_interval(right, count)
        share = f"{100 * right / count:5.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        print(f"{name:<18}{count:>6} images  top-1 {share}")


if __name__ == "__main__":
    main()
