"""The bundled checkpoint on the images that it was not trained on."""

from __future__ import annotations

import numpy as np

from affnet.evaluation.classification import classify
from affnet.evaluation.classifiers import Classifier
from affnet.evaluation.datasets import open_dataset
from affnet.evaluation.held_out import held_out_images
from affnet.model.source import load_source
from affnet.preprocessing import published


def test_the_bundled_network_recognises_emoji_of_an_artist_it_never_saw() -> None:
    classifier = Classifier.of_source(load_source("emoji"))
    sample = open_dataset("emoji").limited(200)
    accuracy = classify(
        classifier.predict, sample, classifier.preprocessing, labels=classifier.labels
    )
    assert accuracy.top1_interval[0] > 0.4  # ten classes: chance is 0.1
    assert accuracy.top5 is not None
    assert accuracy.top5 > 0.85


def test_held_out_images_stand_in_the_order_of_the_data_set() -> None:
    images, labels = held_out_images("emoji", (64, 64))
    dataset = open_dataset("emoji")
    assert images.shape == (len(dataset), 3, 64, 64)
    assert labels.tolist() == [image.label for image in dataset.images]
    expected = published("classification", (64, 64))(dataset.images[700].open())
    assert np.array_equal(images[700], expected)
    digits, of_digits = held_out_images("digits", (64, 64))
    assert digits.shape == (len(of_digits), 3, 64, 64)
