"""TensorFlow's side: schemes, conversion and its promise, and the trainings that compress."""
