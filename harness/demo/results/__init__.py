"""What breadth of training is worth: two splits, one recipe, the same held-out suite (`make results`)."""
