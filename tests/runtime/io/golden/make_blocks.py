#!/usr/bin/env python3
"""Writes blocks.json: packed bytes of each blocked type and the floats that the
reference implementation unpacks them to, bit for bit.

    python3 -m venv venv && venv/bin/pip install gguf
    venv/bin/python make_blocks.py

Last made with gguf 0.19.0, which has no q8_k and no int4: their values are d * q, of int4 in runs of 32 whose first half
is in the low halves of bytes. Bytes are random but for the scales, which are kept
finite; the first block of each type is all ones, the second all zeros.
"""

import json
import os

import numpy
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize

# name, bytes of a block, where its f16 values are
TYPES = [("q8_0", Type.Q8_0, 34, [0]), ("q4_0", Type.Q4_0, 18, [0]),
         ("q4_1", Type.Q4_1, 20, [0, 2]), ("q5_0", Type.Q5_0, 22, [0]),
         ("q5_1", Type.Q5_1, 24, [0, 2]), ("q4_k", Type.Q4_K, 144, [0, 2]),
         ("q5_k", Type.Q5_K, 176, [0, 2]), ("q6_k", Type.Q6_K, 210, [208])]


def super_blocks():
    rng = numpy.random.default_rng(8)
    quants = rng.integers(-127, 128, (4, 256), dtype=numpy.int8)
    quants[0], quants[1] = 127, 0
    scales = (rng.normal(size=4) * 10.0 ** rng.integers(-20, 20, 4)).astype(
        numpy.float32)
    sums = quants.astype(numpy.int16).reshape(4, 16, 16).sum(
        axis=2, dtype=numpy.int16)
    blocks = b"".join(d.tobytes() + q.tobytes() + s.tobytes()
                      for d, q, s in zip(scales, quants, sums))
    floats = scales[:, None] * quants.astype(numpy.float32)
    return {"blocks": blocks.hex(), "floats": floats.tobytes().hex()}


def int4_groups(group):
    rng = numpy.random.default_rng(group)
    quants = rng.integers(0, 16, (4, group), dtype=numpy.uint8)
    quants[0], quants[1] = 15, 0
    scales = (rng.normal(size=4) * 10.0 ** rng.integers(-6, 2, 4)).astype(
        numpy.float16)
    runs = quants.reshape(4, group // 32, 2, 16)
    packed = (runs[:, :, 0] | runs[:, :, 1] << 4).reshape(4, group // 2)
    blocks = b"".join(d.tobytes() + q.tobytes()
                      for d, q in zip(scales, packed))
    floats = scales.astype(numpy.float32)[:, None] * (
        quants.astype(numpy.float32) - 8)
    return {"blocks": blocks.hex(), "floats": floats.tobytes().hex()}


def main():
    rng = numpy.random.default_rng(7)
    result = {}
    for name, kind, size, scales in TYPES:
        blocks = rng.integers(0, 256, (4, size), dtype=numpy.uint8)
        blocks[0] = 255
        blocks[1] = 0
        for at in scales:
            for row in blocks:
                value = numpy.float16(rng.normal() * 10.0 ** rng.integers(-6, 2))
                row[at:at + 2] = numpy.frombuffer(value.tobytes(), numpy.uint8)
        floats = dequantize(blocks, kind).astype(numpy.float32)
        result[name] = {"blocks": blocks.tobytes().hex(),
                        "floats": floats.tobytes().hex()}
    result["q8_k"] = super_blocks()
    for group in (64, 128):
        result[f"int4_g{group}"] = int4_groups(group)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "blocks.json")
    with open(path, "w") as file:
        json.dump(result, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
