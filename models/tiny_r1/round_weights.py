#!/usr/bin/env python3
"""Copies a checkpoint of f32 with its matrices rounded to bf16, half as large.

    round_weights.py grpo/step-00001000 weights
"""

import argparse
import array
import json
import shutil
from pathlib import Path

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")


def rounded(data):
    """f32 to bf16, to the nearest, ties to even."""
    bits = array.array("I", data)
    return array.array("H", [(each + 0x7FFF + (each >> 16 & 1)) >> 16
                             for each in bits]).tobytes()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    data = (options.checkpoint / "model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header, parts, at = {}, [], 0
    for name, tensor in json.loads(data[8:begin]).items():
        if name == "__metadata__":
            continue
        first, last = tensor["data_offsets"]
        part, kind = data[begin + first:begin + last], tensor["dtype"]
        if len(tensor["shape"]) > 1 and kind == "F32":
            part, kind = rounded(part), "BF16"
        header[name] = {"dtype": kind, "shape": tensor["shape"],
                        "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "model.safetensors").write_bytes(
        len(text).to_bytes(8, "little") + text + b"".join(parts))
    for name in FILES:
        shutil.copy(options.checkpoint / name, options.output)


if __name__ == "__main__":
    main()
