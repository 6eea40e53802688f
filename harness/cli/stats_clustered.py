"""`evalh stats clustered`: two arms compared on pairs that come in clusters, from a CSV file."""

from __future__ import annotations

import click

from harness.cli.stats_answers import JSON, LEVEL, Answers, answer
from harness.cli.stats_pairs import read_pairs
from reports.statistics.clustered import compare_clusters, count_clusters


@click.command()
@click.argument("file", metavar="FILE.csv")
@LEVEL
@JSON
def clustered(*, file: str, level: float, as_json: bool) -> None:
    """Compare two arms on pairs in clusters: repeats of a scenario, or scenarios of an archetype.

    FILE.csv has the columns cluster, base and tuned, and one row a pair; - reads the standard input.
    """
    found = compare_clusters(count_clusters(read_pairs(file)), level)
    answers: Answers = {
        "clusters": found.clusters,
        "pairs": found.pairs,
        "difference": found.difference,
        "yang_z": found.yang_z,
        "yang_p": found.yang_p,
        "durkalski_chi2": found.durkalski_chi2,
        "durkalski_p": found.durkalski_p,
        "obuchowski_chi2": found.obuchowski_chi2,
        "obuchowski_p": found.obuchowski_p,
        "signflip_p": found.signflip_p,
        "signflip_standard_error": found.sign_flip.standard_error,
        "standard_error": found.standard_error,
        "cluster_robust": found.cluster_robust,
        "conclusion": found.conclusion.value,
        "reason": found.reason,
    }
    answer(answers, as_json=as_json)
