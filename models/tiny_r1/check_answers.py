#!/usr/bin/env python3
"""Has a model answer tasks, greedily, and counts the right answers.

    check_answers.py ../../build/release/bin/tenon weights tasks/held_out.jsonl

`--shuffle N` first permutes every matrix of layer N, in a copy: what is left
shows whether the answers come from the weights. `--at-least SHARE` fails below
that share.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def answered(tenon, model, tasks):
    """The last part of each completion, after its thoughts."""
    done = subprocess.run(
        [tenon, "run", model, "--batch", tasks, "--greedy", "--tokens", "64",
         "--sequences", "32"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    records = map(json.loads, done.stdout.splitlines())
    for each in sorted(records, key=lambda record: record["index"]):
        yield each["text"].rpartition("</think>")[2]


def shuffle(model, layer, copy):
    """Writes a copy of the model whose layer's matrices are permuted."""
    shutil.copytree(model, copy, dirs_exist_ok=True)
    path = copy / "model.safetensors"
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    rng = random.Random(1)
    for name, tensor in json.loads(data[8:begin]).items():
        if not name.startswith(f"model.layers.{layer}.") or \
                len(tensor["shape"]) < 2:
            continue
        first, last = (begin + at for at in tensor["data_offsets"])
        size = {"F32": 4, "BF16": 2}[tensor["dtype"]]
        values = [bytes(data[at:at + size]) for at in range(first, last, size)]
        rng.shuffle(values)
        data[first:last] = b"".join(values)
    path.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tenon", type=Path)
    parser.add_argument("model", type=Path, help="a folder of safetensors")
    parser.add_argument("tasks", type=Path,
                        help='lines of {"prompt": ..., "answer": ...}')
    parser.add_argument("--shuffle", type=int, metavar="N")
    parser.add_argument("--at-least", type=float, default=0)
    options = parser.parse_args()
    expected = [json.loads(line)["answer"]
                for line in options.tasks.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model
        if options.shuffle is not None:
            model = Path(folder) / "shuffled"
            shuffle(options.model, options.shuffle, model)
        texts = list(answered(options.tenon, model, options.tasks))
    right = sum(text.strip().removeprefix("x = ") == answer
                for text, answer in zip(texts, expected, strict=True))
    print(f"{right} of {len(expected)} right")
    return 0 if right >= options.at_least * len(expected) else 1


if __name__ == "__main__":
    sys.exit(main())
