"""``affnet eval --cluster``: the images of a data set, shared out among workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from affnet import console
from affnet.commands.cluster_client import Lab, about_this_client, on_cluster
from affnet.commands.options import assumed_of
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.artifact import Artifact
    from affnet.evaluation.agreement import Agreement
    from affnet.evaluation.classification import Accuracy
    from affnet.evaluation.classifiers import Classifier
    from affnet.model.source import Source


def check_runtime(runtime: str) -> None:
    """Refuse what a cluster's hosts would not run: they take the runtime of a file's format."""
    from affnet.runtimes import get_runtime, runtime_for

    if (own := runtime_for(get_runtime(runtime).format).name) != runtime:
        raise UsageError(f"--cluster evaluates such files in {own}", "omit --runtime or --cluster.")


def evaluate_on_cluster(
    address: str,
    insecure: bool,
    data: str,
    limit: int | None,
    threads: int,
    open_model: Callable[[], tuple[Artifact | None, Source | None]],
    show: Callable[[str], None],
    quiet: bool,
) -> tuple[Classifier, Accuracy, Agreement | None]:
    """Return the accuracy of an artifact, without its agreement with PyTorch.

    Raises:
        UsageError: it is no artifact.
        AffnetError: as `affnet.cluster.shards.classify_on_cluster`.
    """
    from affnet.evaluation.classifiers import Classifier
    from affnet.evaluation.datasets import open_dataset

    dataset = open_dataset(data).limited(limit)
    with on_cluster(address, insecure, resumable=False) as client:
        from affnet.cluster.shards import classify_on_cluster

        lab = Lab.of(client, quiet)
        lab.check_computes()
        if (artifact := open_model()[0]) is None:
            raise UsageError(
                "--cluster evaluates a file, and MODEL is a source; export it first, or add "
                "--runtime."
            )
        if not artifact.proven:
            console.note(assumed_of(artifact.path), quiet)
        subject = Classifier.of_artifact(artifact, threads)
        accuracy = classify_on_cluster(
            client,
            lab.offers,
            artifact,
            dataset,
            data,
            limit,
            threads=threads,
            about=about_this_client("eval"),
            progress=show,
        )
    console.note("Agreement with PyTorch is not computed on a cluster.", quiet)
    return subject, accuracy, None
