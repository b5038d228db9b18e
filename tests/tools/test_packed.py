"""Models whose 4-bit weights are packed as compressed-tensors does it."""

import json
import random
import struct
import unittest

from support import QWEN, ToolTest, copy_model, needs_compiler

GROUP = 64
TOKENS = "1 5 9 40 3 77 12 60"


def read_tensors(path):
    """{name: (dtype, shape, bytes)} of a safetensors file."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    return {name: (entry["dtype"], entry["shape"],
                   data[8 + size + entry["data_offsets"][0]:
                        8 + size + entry["data_offsets"][1]])
            for name, entry in json.loads(data[8:8 + size]).items()
            if name != "__metadata__"}


def write_tensors(path, tensors):
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def draw(rng, rows, columns):
    """Integers and powers of two, which every type of scales has."""
    integers = [[rng.randrange(16) for _ in range(columns)]
                for _ in range(rows)]
    scales = [[2.0 ** rng.randrange(-7, -4) for _ in range(columns // GROUP)]
              for _ in range(rows)]
    return integers, scales


def packed_parts(name, integers, scales):
    words = [sum(value << 4 * i for i, value in enumerate(row[at:at + 8]))
             for row in integers for at in range(0, len(row), 8)]
    rows, columns = len(integers), len(integers[0])
    flat = [scale for row in scales for scale in row]
    return {
        name + "_packed": ("I32", [rows, columns // 8],
                           struct.pack(f"<{len(words)}I", *words)),
        name + "_scale": ("F16", [rows, columns // GROUP],
                          struct.pack(f"<{len(flat)}e", *flat)),
        name + "_shape": ("I64", [2], struct.pack("<2q", rows, columns))}


def plain(integers, scales):
    values = [scales[row][at // GROUP] * (value - 8)
              for row, line in enumerate(integers)
              for at, value in enumerate(line)]
    return ("F32", [len(integers), len(integers[0])],
            struct.pack(f"<{len(values)}f", *values))


@needs_compiler
class Packed(ToolTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = random.Random(7)
        packed, unpacked = {}, {}
        for name, tensor in read_tensors(QWEN / "model.safetensors").items():
            shape = tensor[1]
            if ".layers." not in name or len(shape) < 2 or shape[1] % GROUP:
                packed[name] = unpacked[name] = tensor
                continue
            integers, scales = draw(rng, *shape)
            packed.update(packed_parts(name, integers, scales))
            unpacked[name] = plain(integers, scales)
        cls.packed = copy_model(QWEN, cls.folder / "packed")
        cls.unpacked = copy_model(QWEN, cls.folder / "unpacked")
        write_tensors(cls.packed / "model.safetensors", packed)
        write_tensors(cls.unpacked / "model.safetensors", unpacked)

    def scores(self, model, *options):
        found = json.loads(self.succeed("score", model, "-", "--json",
                                        "--tokens", *options,
                                        input=TOKENS).stdout)
        return [token["log_probability"] for token in found["tokens"][1:]]

    def test_inspect_shows_whole_weights(self):
        text = self.succeed("inspect", self.packed, "--tensors").stdout
        self.assertRegex(text, r"mlp\.up_proj\.weight +int4_g64 +\[96, 64\]")
        self.assertNotIn("weight_scale", text)

    def test_scores_are_those_of_the_model_in_f32(self):
        expected = self.scores(self.unpacked)
        self.assertEqual(len(expected), len(TOKENS.split()) - 1)
        self.assertEqual(self.scores(self.packed), expected)
        # Beside a program, which reads them again, and inside one.
        for options in ((), ("--embed",)):
            program = self.compiled(f"packed{len(options)}.tenon", self.packed,
                                    *options)
            weights = () if options else ("--weights", self.packed)
            self.assertEqual(self.scores(program, *weights), expected)

    def test_quantised_activations_stay_close(self):
        expected = self.scores(self.unpacked)
        found = self.scores(self.packed, "--activations", "q8")
        self.assertNotEqual(found, expected)
        for got, want in zip(found, expected):
            self.assertAlmostEqual(got, want, delta=0.3)

    def test_zero_points_are_refused(self):
        folder = copy_model(QWEN, self.folder / "zero_points")
        tensors = read_tensors(self.packed / "model.safetensors")
        name = "model.layers.0.mlp.up_proj.weight_zero_point"
        tensors[name] = ("I32", [1], bytes(4))
        write_tensors(folder / "model.safetensors", tensors)
        self.fail("inspect", folder, says=["symmetric", name])

    def test_other_quantisation_is_refused(self):
        folder = copy_model(QWEN, self.folder / "gptq")
        config = json.loads((folder / "config.json").read_text())
        config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
        (folder / "config.json").write_text(json.dumps(config))
        self.fail("compile", folder, "-o", self.folder / "none.tenon",
                  says=["quantization_config", "pack-quantized", "gptq"])


if __name__ == "__main__":
    unittest.main()
