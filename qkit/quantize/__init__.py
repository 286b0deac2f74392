"""From a trained network to a quantized .tflite file."""
