"""Trajectories and the trainer: from reference sessions to an adapter, through the render contract alone."""
