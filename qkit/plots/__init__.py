"""One picture for each result: they draw, and compute nothing."""
