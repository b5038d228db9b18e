"""tenon merge: an adapter of PEFT's layout made a part of a model's weights."""

import json
import struct
import unittest

from support import LLAMA, MODEL, PROMPT, ToolTest, needs_compiler

RANK = 2


def write_safetensors(path, tensors):
    """Tensors of f32, as name: (shape, values)."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_tensor(path, name):
    """An f32 tensor of a safetensors file."""
    content = path.read_bytes()
    size, = struct.unpack_from("<Q", content)
    entry = json.loads(content[8:8 + size])[name]
    assert entry["dtype"] == "F32", entry
    begin, end = entry["data_offsets"]
    return struct.unpack_from(f"<{(end - begin) // 4}f", content,
                              8 + size + begin)


def write_adapter(folder, part, width, out, kind="LORA"):
    folder.mkdir(exist_ok=True)
    a = [0.25 * ((i * 7) % 5 - 2) for i in range(RANK * width)]
    b = [0.125 * ((i * 3) % 7 - 3) for i in range(out * RANK)]
    prefix = f"base_model.model.{part}"
    write_safetensors(folder / "adapter_model.safetensors", {
        f"{prefix}.lora_A.weight": ([RANK, width], a),
        f"{prefix}.lora_B.weight": ([out, RANK], b)})
    (folder / "adapter_config.json").write_text(json.dumps(
        {"peft_type": kind, "r": RANK, "lora_alpha": 4,
         "target_modules": ["up_proj"]}))
    return a, b


@needs_compiler
class Merge(ToolTest):
    def test_safetensors_is_w_plus_scale_b_a(self):
        name = "model.layers.1.mlp.up_proj"
        adapter, output = self.folder / "adapter", self.folder / "merged"
        a, b = write_adapter(adapter, name, width=64, out=96)
        notice = self.succeed("merge", LLAMA, adapter, "-o", output).stderr
        self.assertIn("in 1 weights, now f32", notice)
        self.assertTrue((output / "config.json").exists())
        before = read_tensor(LLAMA / "model.safetensors", f"{name}.weight")
        after = read_tensor(output / "model.safetensors", f"{name}.weight")
        for n in range(96):
            for k in range(64):
                change = 2 * sum(b[n * RANK + r] * a[r * 64 + k]
                                 for r in range(RANK))
                self.assertAlmostEqual(after[n * 64 + k],
                                       before[n * 64 + k] + change, places=5)
        other = "model.layers.0.mlp.up_proj.weight"
        self.assertEqual(read_tensor(LLAMA / "model.safetensors", other),
                         read_tensor(output / "model.safetensors", other))
        self.fail("merge", LLAMA, adapter, "-o", output, says=["--force"])
        undone = self.folder / "undone"
        self.succeed("merge", output, adapter, "-o", undone, "--unmerge")
        for x, y in zip(before, read_tensor(undone / "model.safetensors",
                                            f"{name}.weight")):
            self.assertAlmostEqual(x, y, places=5)

    def test_merged_gguf_runs(self):
        adapter = self.folder / "for_gemma"
        write_adapter(adapter, "model.layers.0.mlp.up_proj", width=64, out=96)
        output = self.folder / "merged.gguf"
        notice = self.succeed("merge", MODEL, adapter, "-o", output,
                              "--type", "bf16").stderr
        self.assertIn("now bf16", notice)
        text = self.succeed("inspect", output, "--tensors").stdout
        self.assertRegex(text, r"blk\.0\.ffn_up\.weight +bf16")
        story = self.folder / "story.txt"
        story.write_text(PROMPT)
        scores = [self.succeed("score", model, story, "--json").stdout
                  for model in (MODEL, output)]
        self.assertNotEqual(*(json.loads(score)["perplexity"]
                              for score in scores))

    def test_other_models_and_kinds_are_refused(self):
        adapter = self.folder / "other"
        write_adapter(adapter, "model.layers.7.mlp.up_proj", width=64, out=96)
        output = self.folder / "nothing"
        self.fail("merge", LLAMA, adapter, "-o", output,
                  says=["model.layers.7.mlp.up_proj"])
        write_adapter(adapter, "model.layers.0.mlp.up_proj", width=32, out=96)
        self.fail("merge", LLAMA, adapter, "-o", output,
                  says=["[96, 64]", "[96, 32]"])
        write_adapter(adapter, "model.layers.0.mlp.up_proj", width=64, out=96,
                      kind="IA3")
        self.fail("merge", LLAMA, adapter, "-o", output, says=["IA3"])
        self.fail("merge", LLAMA, self.folder / "nowhere", "-o", output,
                  says=["adapter_config.json"])
        self.assertFalse((output / "model.safetensors").exists())


if __name__ == "__main__":
    unittest.main()
