"""Where the bundles lie that evalh ships."""

from __future__ import annotations

from pathlib import Path

from scenarios.bundle import Split


def shipped(split: Split | str) -> Path:
    """The folder of the shipped suite: `holdout` to evaluate on, `train` to train on.

    Raises ValueError for any other word.
    """
    return Path(__file__).resolve().parent / Split(split).value
