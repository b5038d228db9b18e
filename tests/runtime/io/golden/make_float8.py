#!/usr/bin/env python3
"""Writes float8.safetensors: weights of E4M3 with a scale for each 128 by 128,
as DeepSeek-V3 stores them, and beside each "<name>.values", what they mean in
bf16. "all.weight" has each of the 256 numbers.

    python3 make_float8.py          # needs numpy and ml_dtypes
"""

import json
import os
import struct

import ml_dtypes
import numpy

SHAPES = {"all": (1, 256), "a": (130, 140), "b": (128, 128), "c": (3, 300)}


def main():
    rng = numpy.random.default_rng(12)
    tensors = []
    for name, (rows, columns) in SHAPES.items():
        bits = rng.integers(0, 255, (rows, columns)).astype(numpy.uint8)
        bits[bits & 127 == 127] = 0  # no NaN
        if name == "all":
            bits = numpy.arange(256, dtype=numpy.uint8)[None]
        blocks = (-(-rows // 128), -(-columns // 128))
        scale = numpy.exp2(rng.normal(-6, 2, blocks)).astype(numpy.float32)
        each = numpy.repeat(numpy.repeat(scale, 128, 0), 128, 1)
        values = (bits.view(ml_dtypes.float8_e4m3fn).astype(numpy.float32)
                  * each[:rows, :columns]).astype(ml_dtypes.bfloat16)
        tensors += [(f"{name}.weight", "F8_E4M3", bits),
                    (f"{name}.weight_scale_inv", "F32", scale),
                    (f"{name}.values", "BF16", values.view(numpy.uint16))]
    header, data = {}, b""
    for name, dtype, array in tensors:
        end = len(data) + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "float8.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main()
