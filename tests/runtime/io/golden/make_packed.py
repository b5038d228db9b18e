#!/usr/bin/env python3
"""Writes packed.safetensors: weights of 4-bit integers as compressed-tensors packs them ("pack-quantized"), and beside each
"<name>.values", what they mean in f32.

    python3 make_packed.py          # needs numpy

Its functions follow the layout's own definition (vllm-project/compressed-tensors, pack_to_int32 and dequantize), not Tenon's.
Scales are of a type each; f32 ones are rounded to f16, to nearest, as Tenon keeps them.
"""

import json
import os
import struct

import numpy

SHAPES = {"a": (3, 96, 32, "BF16"), "b": (2, 192, 64, "F16"),
          "c": (4, 256, 128, "F32")}


def pack_to_int32(values):
    unsigned = (values.astype(numpy.int64) + 8).reshape(len(values), -1, 8)
    words = numpy.zeros(unsigned.shape[:2], numpy.int64)
    for i in range(8):
        words |= unsigned[:, :, i] << (4 * i)
    return words.astype(numpy.uint32)


def bf16_bits(values):
    """Of values that are bf16 already."""
    return (values.view(numpy.uint32) >> 16).astype(numpy.uint16)


def main():
    rng = numpy.random.default_rng(11)
    tensors = []
    for name, (rows, columns, group, dtype) in SHAPES.items():
        values = rng.integers(-8, 8, (rows, columns))
        scales = (rng.normal(size=(rows, columns // group)) / 16).astype(
            numpy.float32)
        if dtype == "BF16":
            scales = (scales.view(numpy.uint32) & 0xffff0000).view(
                numpy.float32)
        stored = {"BF16": bf16_bits, "F16": lambda x: x.astype(numpy.float16),
                  "F32": lambda x: x}[dtype](scales)
        kept = scales.astype(numpy.float16).astype(numpy.float32)
        floats = numpy.repeat(kept, group, axis=1) * values.astype(
            numpy.float32)
        tensors += [
            (f"{name}.weight_packed", "I32", pack_to_int32(values)),
            (f"{name}.weight_scale", dtype, stored),
            (f"{name}.weight_shape", "I64",
             numpy.array([rows, columns], numpy.int64)),
            (f"{name}.values", "F32", floats)]
    header, data = {}, b""
    for name, dtype, array in tensors:
        end = len(data) + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        "packed.safetensors")
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
