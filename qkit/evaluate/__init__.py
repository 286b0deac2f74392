"""What a .tflite file is worth: accuracy, size, latency, and differences that are real."""
