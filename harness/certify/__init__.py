"""Certification: a bundle is run, starved, attacked and compared before anyone is judged by it."""
