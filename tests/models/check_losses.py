#!/usr/bin/env python3
"""Compares the losses of train_step with another program's.

    check_losses.py TRAIN_STEP LOSSES

LOSSES is what scripts/train-reference prints: its options, and a loss for each
step. Fails where one differs by more than 1e-3.
"""

import json
import subprocess
import sys

MOST = 1e-3


def main() -> int:
    program, path = sys.argv[1:]
    with open(path) as file:
        golden = json.load(file)
    command = [program]
    for name, value in golden["options"].items():
        command += ["--" + name, str(value)]
    made = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    steps = json.loads(made.stdout)["steps"]
    expected = [step["loss"] for step in golden["steps"]]
    losses = [step["loss"] for step in steps]
    assert len(losses) == len(expected) > 0, "another number of steps"
    worst = max(abs(a - b) for a, b in zip(losses, expected))
    print(f"{len(losses)} losses, from {losses[0]:.5f} to {losses[-1]:.5f}; "
          f"the largest difference is {worst:.1e}, of at most {MOST:g}")
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
