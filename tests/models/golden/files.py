"""Reads and writes the files of the golden values."""

import json
import struct

import gguf
import numpy as np


def to_bf16(x):
    """Rounds float32 to bfloat16, ties to even; the bits as uint16."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(bits):
    return (bits.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path, tensors, metadata=None):
    """Writes {name: array}; uint16 stands for BF16."""
    names = {"float32": "F32", "float64": "F64", "int32": "I32",
             "uint16": "BF16"}
    header = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, x in tensors.items():
        header[name] = {"dtype": names[x.dtype.name], "shape": list(x.shape),
                        "data_offsets": [at, at + x.nbytes]}
        at += x.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # The data starts at a multiple of 8.
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for x in tensors.values():
            file.write(np.ascontiguousarray(x).tobytes())


def write_json(path, items):
    """A list, one item per line: readable in a diff."""
    lines = [json.dumps(item, ensure_ascii=False) for item in items]
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    path.write_text(text, encoding="utf-8")


def dequantised_copy(source, target):
    """Writes `source` with every tensor F32 and the same metadata."""
    reader = gguf.GGUFReader(source)
    skip = gguf.Keys.General.ARCHITECTURE  # GGUFWriter writes it itself.
    writer = gguf.GGUFWriter(target, reader.get_field(skip).contents())
    for key in reader.fields.values():
        if key.name == skip or key.name.startswith("GGUF."):
            continue
        is_array = key.types[0] == gguf.GGUFValueType.ARRAY
        writer.add_key_value(key.name, key.contents(), key.types[0],
                             key.types[-1] if is_array else None)
    for tensor in reader.tensors:
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, data.astype(np.float32, copy=False))
    write_gguf(writer)


def write_gguf(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
