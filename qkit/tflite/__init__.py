"""The `.tflite` file: read, decoded, edited, tried out in a process of its own."""
