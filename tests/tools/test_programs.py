"""Compiling, .tenon files, and running them: the same text every way."""

import json
import re
import shutil
import struct
import unittest

from support import (DEEPSEEK, GEMMA, MODEL, PROMPT, QWEN, TENON, ToolTest,
                     byte_tokenizer, copy_model, needs_compiler, sections)


def likeliest(folder, case):
    """The token that follows a golden case."""
    data = (folder / "expected.safetensors").read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    entry = json.loads(data[8:8 + size])[f"logits.{case}"]
    rows, width = entry["shape"]
    start = 8 + size + entry["data_offsets"][0] + 4 * width * (rows - 1)
    logits = struct.unpack_from(f"<{width}f", data, start)
    return logits.index(max(logits))


@needs_compiler
class SameText(ToolTest):
    """However a model is compiled, stored and cut, its text is the same."""

    def setUp(self):
        self.expected = self.greedy(MODEL)
        self.program = self.compiled("gemma.tenon", MODEL)

    def test_first_token_is_the_golden_one(self):
        piece = self.succeed("tokenize", MODEL, "--decode",
                             likeliest(GEMMA, 0)).stdout
        self.assertEqual(self.greedy(MODEL, tokens=1), piece)

    def test_compiled_ahead_of_time(self):
        self.assertEqual(self.greedy(self.program), self.expected)

    def test_without_the_cache(self):
        self.assertEqual(self.greedy(MODEL, "--no-cache"), self.expected)

    def test_threads_chunks_and_feature_sets(self):
        for options in (["--threads", 1], ["--threads", 3], ["--chunk", 2],
                        ["--threads", 2, "--affinity", "0,0"],
                        ["--cpu", "v3"]):
            with self.subTest(options):
                self.assertEqual(self.greedy(self.program, *options),
                                 self.expected)

    def test_prompt_from_stdin_and_file(self):
        options = ["run", self.program, "--greedy", "-n", 12]
        self.assertEqual(
            self.succeed(*options, input=PROMPT + "\n").stdout, self.expected)
        path = self.folder / "prompt.txt"
        path.write_text(PROMPT + "\n")
        self.assertEqual(
            self.succeed(*options, "--prompt-file", path).stdout,
            self.expected)

    def test_seed_decides_the_draws(self):
        def draw(seed):
            return self.succeed("run", self.program, "-p", PROMPT, "-n", 24,
                                "--temperature", 2, "--top-k", 0, "--top-p",
                                1, "--min-p", 0, "--seed", seed).stdout
        self.assertEqual(draw(7), draw(7))
        self.assertGreater(len({draw(seed) for seed in range(4)}), 1)

    def test_alone_without_compiler(self):
        (self.folder / "alone").mkdir(exist_ok=True)
        alone = self.folder / "alone/tenon"
        shutil.copy(TENON, alone)
        self.assertEqual(self.greedy(self.program, program=alone),
                         self.expected)


@needs_compiler
class Embedded(ToolTest):
    def test_runs_without_the_weights(self):
        model = self.folder / "moved.gguf"
        shutil.copy(MODEL, model)
        expected = self.greedy(model)
        program = self.compiled("embedded.tenon", model, "--embed")
        model.unlink()
        names = self.succeed("inspect", program).stdout
        self.assertIn("weights", names)
        self.assertEqual(self.greedy(program), expected)
        self.assertEqual([name for name in self.folder_names()
                          if "partial" in name], [])


@needs_compiler
class Safetensors(ToolTest):
    def test_compiles_from_a_folder(self):
        program = self.compiled("gemma.tenon", GEMMA, "--cpu", "v3")
        text = self.succeed("inspect", program).stdout
        self.assertIn("gemma3", text)

    def test_without_tokenizer(self):
        self.fail("run", QWEN, "-p", PROMPT, says=["tokenizer.json"])

    def test_tokenizer_goes_into_the_program(self):
        folder = copy_model(QWEN, self.folder / "with-tokenizer")
        (folder / "tokenizer.json").write_text(json.dumps(byte_tokenizer()))
        program = self.compiled("with.tenon", folder, "--cpu", "v3")
        ids = self.succeed("tokenize", folder, PROMPT, "--json").stdout
        self.assertEqual(
            self.succeed("tokenize", program, PROMPT, "--json").stdout, ids)
        self.assertEqual(self.greedy(program), self.greedy(folder))
        # These tokens have no first one of their own, as Gemma's have.
        self.fail("run", program, "-p", "", says=["-p"])


@needs_compiler
class Output(ToolTest):
    """The file appears whole, where asked, and never by surprise."""

    def test_holds_every_feature_set_by_default(self):
        program = self.compiled("all.tenon", QWEN / "model.gguf")
        tags = [tag for kind, tag, _, _ in sections(program) if kind == 2]
        self.assertEqual(tags, [0, 1, 2])

    def test_is_not_replaced_unless_forced(self):
        path = self.folder / "there.tenon"
        path.write_text("precious")
        model = QWEN / "model.gguf"
        self.fail("compile", model, "-o", path, says=["--force"])
        self.assertEqual(path.read_text(), "precious")
        self.succeed("compile", model, "-o", path, "--force", "--cpu", "v3")
        self.assertNotEqual(path.read_bytes()[:5], b"preci")

    def test_folder_must_be_there(self):
        self.fail("compile", QWEN / "model.gguf", "-o",
                  self.folder / "none/m.tenon", says=["none"])
        self.fail("compile", QWEN / "model.gguf", "-o", self.folder,
                  "--force", says=["folder"])

    def test_program_is_not_compiled_again(self):
        program = self.compiled("all.tenon", QWEN / "model.gguf")
        self.fail("compile", program, "-o", self.folder / "again.tenon",
                  says=["compiled already"])

    def test_unknown_architecture(self):
        path = self.changed(
            QWEN / "model.gguf", "other.gguf",
            lambda data: data.replace(b"qwen2", b"qwenX"))
        output = self.folder / "other.tenon"
        self.fail("compile", path, "-o", output,
                  says=["qwenX", "gemma3", "qwen2"])
        self.assertFalse(output.exists())

    def test_missing_tensor(self):
        path = self.changed(
            QWEN / "model.gguf", "renamed.gguf",
            lambda data: data.replace(b"blk.1.attn_q.bias",
                                      b"blk.1.attn_x.bias"))
        output = self.folder / "renamed.tenon"
        self.fail("compile", path, "-o", output, says=["blk.1.attn_q.bias"])
        self.assertFalse(output.exists())

    def test_explains_its_kernels(self):
        path = self.folder / "explained.tenon"
        text = self.succeed("compile", QWEN / "model.gguf", "-o", path,
                            "--cpu", "v3", "--explain-fusion").stdout
        self.assertIn("entry forward", text)
        self.assertIn("holds", text)
        self.assertRegex(text, r"variant \S+ \(.*T in \[")
        self.assertRegex(text, r"layers\.\d+: \d+ kernels")
        # Of one token: its number, its row of the embedding, read and written.
        self.assertRegex(text, rf"gather  \[\w+\]  {4 + 256 + 256} B\n")
        # A row of 64, the head's weights of 96 such rows, a row of logits.
        head = (64 + 96 * 64 + 96) * 4 / 1024
        self.assertRegex(text, rf"matmul  \[\w+\]  {head:.1f} KiB\n")

    def test_explains_its_experts(self):
        path = self.folder / "explained-moe.tenon"
        text = self.succeed("compile", QWEN / "model.gguf", "-o", path,
                            "--cpu", "v3", "--explain-moe").stdout
        self.assertEqual(text, "no layer of experts\n")

    def test_reports_in_a_few_lines(self):
        path = self.folder / "reported.tenon"
        text = self.succeed("compile", DEEPSEEK / "model.gguf", "-o", path,
                            "--cpu", "v3", "--report").stdout
        self.assertRegex(text, r"^\d+ kernels\n")
        decode = re.search(r"forward +decode +(\d+) +(\d+) +each row alone",
                           text)
        self.assertTrue(decode, text)
        self.assertLess(int(decode[1]), int(decode[2]))  # ops are fused
        self.assertRegex(text, r"forward +any +\d+ +\d+ +8 rows together")
        self.assertRegex(text, r"\d x  grouped_matmul\+grouped_matmul\+silu")

    def test_is_made_for_a_machine(self):
        machine = self.folder / "machine.txt"
        machine.write_text("threads 64\nl2_bytes 65536 # small\n")
        made = {name: self.compiled(f"for-{i}.tenon", MODEL, "--cpu", "v3",
                                    "--machine", name)
                for i, name in enumerate(("generic", machine))}
        # Other tiles, the same text.
        kernels = [json.loads(self.succeed("inspect", path, "--kernels",
                                           "--json").stdout)["kernels"]
                   for path in made.values()]
        self.assertNotEqual(*kernels)
        self.assertEqual(*(self.greedy(path) for path in made.values()))
        self.assertIn("threads 64 l1_bytes 32768 l2_bytes 65536",
                      self.succeed("inspect", made[machine]).stdout)

    def test_wrong_machines(self):
        machine = self.folder / "wrong.txt"
        machine.write_text("threads 2\nl2_bytes many\n")
        output = self.folder / "wrong.tenon"
        for name, says in ((machine, ["wrong.txt", "line 2", "many"]),
                           ("toaster", ["host", "generic", "toaster"])):
            self.fail("compile", MODEL, "-o", output, "--machine", name,
                      says=says)

    def test_latent_attention_has_two_forms(self):
        kernels = []
        for form in ("absorbed", "materialised"):
            program = self.compiled(f"{form}.tenon", DEEPSEEK, "--cpu",
                                    "v3", "--latent-attention", form)
            self.assertRegex(self.succeed("inspect", program).stdout,
                             rf"latent_attention\s+{form}")
            kernels.append(
                self.succeed("inspect", program, "--kernels").stdout)
        self.assertNotEqual(*kernels)
        # One matrix of both keys and values is no view of each head's.
        self.fail("compile", DEEPSEEK / "model.gguf", "-o",
                  self.folder / "none.tenon", "--latent-attention", "absorbed",
                  says=["attn_k_b", "attn_kv_b"])
        self.fail("compile", MODEL, "-o", self.folder / "none.tenon",
                  "--latent-attention", "absorbed",
                  says=["latent attention", "gemma3"])
        self.fail("run", self.folder / "absorbed.tenon", "-p", "a",
                  "--latent-attention", "absorbed", says=["compiled already"])

    def test_dumps_its_ir(self):
        folder = self.folder / "ir"
        self.succeed("compile", QWEN / "model.gguf", "-o",
                     self.folder / "dumped.tenon", "--cpu", "v3", "--dump-ir",
                     folder)
        self.assertIn("00-traced.mlir",
                      [path.name for path in folder.iterdir()])


@needs_compiler
class Inspect(ToolTest):
    def setUp(self):
        self.program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")

    def test_shows_sections_provenance_and_entries(self):
        text = self.succeed("inspect", self.program).stdout
        for part in ("code v3", "tokenizer", "reference", "model.hash",
                     "compiler.build", "forward(", "sample("):
            self.assertIn(part, text)

    def test_shows_entries_kernels_and_plan(self):
        text = self.succeed("inspect", self.program, "--entries", "--kernels",
                            "--plan", "--set", "T=1").stdout
        for part in ("variant", "from blk.0.attn_q.weight", "scratch",
                     "arena of"):
            self.assertIn(part, text)

    def test_json_has_the_same(self):
        found = json.loads(self.succeed(
            "inspect", self.program, "--entries", "--kernels", "--plan",
            "--json").stdout)
        self.assertIn("forward", [entry["name"] for entry in found["entries"]])
        self.assertTrue(found["kernels"])
        self.assertTrue(any(plan.get("arena_bytes", 0) > 0
                            for plan in found["plan"]))

    def test_plan_grows_with_tokens(self):
        def arena(tokens):
            found = json.loads(self.succeed(
                "inspect", self.program, "--plan", "--json", "--set",
                f"T={tokens}").stdout)
            return max(plan["arena_bytes"] for plan in found["plan"]
                       if plan["entry"] == "forward" and plan["runs"])
        self.assertLess(arena(1), arena(100))

    def test_unknown_symbol(self):
        self.fail("inspect", self.program, "--plan", "--set", "Q=1",
                  says=["T", "'Q'"])
        self.fail("inspect", self.program, "--plan", "--set", "T",
                  says=["T=16", "'T'"])

    def test_tokenizes_from_the_program(self):
        self.assertEqual(
            self.succeed("tokenize", self.program, PROMPT).stdout,
            self.succeed("tokenize", MODEL, PROMPT).stdout)


@needs_compiler
class CheckedPasses(ToolTest):
    def test_no_pass_changes_a_result(self):
        for path in (MODEL, GEMMA / "model.safetensors",
                     QWEN / "model.safetensors"):
            with self.subTest(path.name):
                self.succeed("compile", path, "-o", self.folder / "m.tenon",
                             "--force", "--check-passes")


if __name__ == "__main__":
    unittest.main()
