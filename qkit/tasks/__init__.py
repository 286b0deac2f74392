"""What networks are asked to do: data made from MNIST alone, a loss, and a metric.

A module for each kind of task; each has its `Task` as a value.
"""
