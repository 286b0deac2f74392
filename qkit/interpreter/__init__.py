"""The file, run: its answers, its intermediate tensors, and copies changed one way."""
