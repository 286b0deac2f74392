"""What the sweeps of test_sweep.py compute: each worker loads this alone, and not that file."""

import os
import time
from pathlib import Path


def scaled(shared, item):
    time.sleep(0.02 * (item == 0))  # so that the first is not done first
    return item, (shared["factor"] * item).tobytes()


def halved(item):
    time.sleep(0.05 * (item == 1))
    if item % 2:
        raise LookupError(f"{item} is odd")
    return item // 2


def ending_its_process(folder, item):
    """End the worker at the item 3 as often as the folder's name says."""
    before = len([*Path(folder).iterdir()])
    if item == 3 and before < int(Path(folder).name):
        Path(folder, f"run{before}").touch()
        os._exit(1)
    return item, os.getpid()


def ending_by_item(item):
    return ending_its_process(*item)


class Loaded:
    """What leaves a file behind each time it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.__dict__ = state
        Path(self.folder, f"{os.getpid()} {time.monotonic_ns()}").touch()


def slowly(shared, item):
    time.sleep(0.02)
    return item, os.getpid()
