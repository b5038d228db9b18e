"""What bench measures and refuses."""

import json
import unittest

from support import GEMMA, LLAMA, MODEL, QWEN, ToolTest, needs_compiler


@needs_compiler
class Bench(ToolTest):
    def test_measures_each_length(self):
        text = self.succeed("bench", MODEL, "-p", "3,8", "-n", 4, "-r",
                            2).stdout
        lines = [line.split() for line in text.splitlines()]
        self.assertEqual([line[:2] for line in lines[1:]],
                         [["prompt", "3"], ["prompt", "8"], ["decode", "4"]])
        for line in lines[1:]:
            median, least, most = map(float, line[2:])
            self.assertGreater(least, 0)
            self.assertLessEqual(least, median)
            self.assertLessEqual(median, most)

    def test_json_has_every_run(self):
        result = json.loads(
            self.succeed("bench", MODEL, "-p", 8, "-n", 4, "-r", 3, "--threads",
                         1, "--json").stdout)
        self.assertEqual(result["threads"], 1)
        self.assertEqual([test["test"] for test in result["tests"]],
                         ["prompt 8", "decode 4"])
        for test in result["tests"]:
            self.assertEqual(len(test["runs"]), 3)
            self.assertEqual(sorted(test["runs"])[1],
                             test["tokens_per_second"])

    def test_more_than_the_models_context(self):
        self.fail("bench", MODEL, "-p", 1000000, says=["1000001"])

    def test_no_repetitions(self):
        self.fail("bench", MODEL, "-r", 0, says=["-r"])


@needs_compiler
class RandomWeights(ToolTest):
    def bench(self, model, *options):
        return json.loads(self.succeed(
            "bench", model, "-p", 8, "-n", 4, "-r", 1, "--json",
            *options).stdout)

    def config(self, name, source, **changes):
        """A folder with nothing but a config.json."""
        folder = self.folder / name
        folder.mkdir()
        config = json.loads((source / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        return folder

    def test_a_model_without_a_vocabulary(self):
        self.assertEqual(len(self.bench(LLAMA / "model.gguf")["tests"]), 2)

    def test_a_config_alone(self):
        for source in (LLAMA, QWEN, GEMMA):
            with self.subTest(source.name):
                folder = self.config(f"only_{source.name}", source)
                result = self.bench(folder, "--random-weights", 3)
                self.assertEqual(result["random_weights"], 3)
                for test in result["tests"]:
                    self.assertGreater(test["tokens_per_second"], 0)
                # The second time from the cache of programs, by its file.
                again = self.bench(folder / "config.json",
                                   "--random-weights", 4)
                self.assertEqual(again["compile_seconds"], 0)

    def test_types_of_weights(self):
        folder = self.config("wide", LLAMA, hidden_size=256,
                             intermediate_size=512)
        sizes = {}
        for name in ("f32", "bf16", "q8_0", "q4_k", "int4_g64", "int4_g128"):
            result = self.bench(folder, "--random-weights", 1,
                                "--weights-type", name)
            sizes[name] = result["prepared_bytes"]
        self.assertEqual(sizes, dict(sorted(sizes.items(),
                                            key=lambda item: -item[1])))
        self.assertGreater(sizes["f32"], 1.9 * sizes["bf16"])
        self.assertGreater(sizes["bf16"], 1.8 * sizes["q8_0"])
        self.assertGreater(sizes["q8_0"], 1.6 * sizes["q4_k"])
        self.assertGreater(sizes["q8_0"], 1.8 * sizes["int4_g128"])

    def test_weights_of_a_file_are_not_read(self):
        self.assertEqual(
            self.bench(MODEL, "--random-weights", 1)["random_weights"], 1)
        self.fail("bench", MODEL, "--random-weights", 1, "--weights-type",
                  "f16", says=["--weights-type", "config.json"])

    def test_embedded_weights_cannot_be_replaced(self):
        program = self.compiled("embedded.tenon", MODEL, "--embed")
        self.fail("bench", program, "--random-weights", 1,
                  says=["--random-weights", "embeds none"])

    def test_a_config_has_no_weights_to_read(self):
        folder = self.config("bare", QWEN)
        self.fail("bench", folder, says=["config.json", "--random-weights"])
        self.fail("run", folder, "-p", "x", says=["config.json"])

    def test_a_config_that_lacks_a_size(self):
        folder = self.config("short", QWEN)
        (folder / "config.json").write_text(
            '{"model_type": "qwen2", "hidden_size": 64}')
        self.fail("bench", folder, "--random-weights", 1,
                  says=["config.json", "num_hidden_layers"])

    def test_types_that_no_weights_have(self):
        folder = self.config("typed", QWEN)
        self.fail("bench", folder, "--random-weights", 1, "--weights-type",
                  "i8", says=["--weights-type"])


if __name__ == "__main__":
    unittest.main()
