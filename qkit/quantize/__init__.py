"""The arithmetic of quantization, without TensorFlow: grids, what they cost, centroids, coding."""
