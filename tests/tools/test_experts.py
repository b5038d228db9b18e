"""Models with experts: training, balancing, and the commands of docs/moe.md."""

import json
import math
import os
import re
import shutil
import struct
import subprocess
import unittest

from support import (GOLDEN, SOURCE, TENON, ToolTest, copy_model,
                     needs_compiler)


def plant_nan(path, name):
    """Makes the first number of an f32 tensor of a safetensors file NaN."""
    data = bytearray(path.read_bytes())
    size, = struct.unpack_from("<Q", data)
    tensor = json.loads(data[8:8 + size])[name]
    assert tensor["dtype"] == "F32", tensor
    struct.pack_into("<f", data, 8 + size + tensor["data_offsets"][0], math.nan)
    path.write_bytes(data)


@needs_compiler
class Experts(ToolTest):
    """The tutorial, on a shorter text and with fewer steps."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.example = cls.folder / "examples/train_experts"
        shutil.copytree(SOURCE / "examples/train_experts", cls.example)
        (cls.example / "text.txt").write_text("".join(
            f"{n} and {n * n % 97} are {'even' if n % 2 else 'odd'}.\n"
            for n in range(2000)))
        recipe = (cls.example / "recipe.toml").read_text()
        (cls.example / "recipe.toml").write_text(re.sub(
            r"(?m)^(steps|\S+-every|batch) = (\d+)",
            lambda m: f"{m[1]} = {int(m[2]) // 4}", recipe))
        blocks = re.findall(r"```sh\n(.*?)```",
                            (SOURCE / "docs/moe.md").read_text(), re.S)
        lines = [line for line in "".join(blocks).splitlines()
                 if not line.startswith("bible")]
        script = "\n".join(lines).replace("00000300", "00000075")
        environment = dict(
            cls.env, PATH=f"{TENON.parent.resolve()}:{os.environ['PATH']}")
        cls.done = subprocess.run(
            ["bash", "-ec", script], cwd=cls.folder, env=environment, text=True,
            stderr=subprocess.PIPE, stdout=subprocess.PIPE)

    def log(self, run):
        text = (self.example / run / "log.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def loads(self, run, key):
        """Of the last ten steps, the mean of each layer."""
        last = [line[key] for line in self.log(run) if key in line][-10:]
        return [sum(layer) / len(layer) for layer in zip(*last)]

    def train(self, run, *options):
        return self.succeed("train", "recipe.toml", "--output", run, *options,
                            cwd=self.example)

    def test_commands(self):
        self.assertEqual(self.done.returncode, 0,
                         self.done.stdout + self.done.stderr)
        self.assertIn("load_most", self.done.stdout)

    def test_balancing_shows(self):
        self.assertLess(max(self.loads("run", "load_most")), 2)
        self.assertGreater(max(self.loads("unbalanced", "load_most")),
                           1.2 * max(self.loads("run", "load_most")))

    def test_what_is_beyond_the_capacity_is_counted(self):
        self.train("capacity", "--steps", 4, "--capacity", 1,
                   "--final-capacity", 16)
        beyond = [line["beyond_capacity"] for line in self.log("capacity")
                  if "beyond_capacity" in line]
        self.assertEqual(len(beyond), 4)
        self.assertGreater(min(beyond[0]), 0)
        self.assertEqual(beyond[-1], [0, 0, 0])

    def test_parts_of_a_step_have_its_load(self):
        self.train("whole", "--steps", 2, "--z-loss", "1e-3")
        self.train("parts", "--steps", 2, "--z-loss", "1e-3", "--micro", 1)
        for whole, parts in zip(self.log("whole"), self.log("parts")):
            if "loss" in whole:
                self.assertAlmostEqual(whole["loss"], parts["loss"], delta=1e-3)
                for a, b in zip(whole["load_most"], parts["load_most"]):
                    self.assertAlmostEqual(a, b, delta=0.05)

    def test_a_run_goes_on_with_the_same_bits(self):
        self.train("once", "--steps", 4)
        self.train("twice", "--steps", 2, "--schedule", "cosine")
        self.train("twice", "--steps", 4, "--resume", "--threads", 1)
        # The schedule is of 2 steps until the run goes on.
        self.assertEqual([line["load_most"] for line in self.log("once")
                          if line["step"] == 1 and "loss" in line],
                         [line["load_most"] for line in self.log("twice")
                          if line["step"] == 1 and "loss" in line])
        weights = [self.example / run / "step-00000004/model.safetensors"
                   for run in ("once", "twice")]
        self.assertTrue(all(path.exists() for path in weights))

    def perplexity(self, model, *options):
        scored = self.succeed("score", model, "other.txt", "--json", *options,
                              cwd=self.example)
        return json.loads(scored.stdout)["perplexity"]

    def test_adapters_learn_run_and_are_merged(self):
        (self.example / "other.txt").write_text("A cat ran. " * 1000)
        self.succeed("data", "other.txt", "-o", "other", "--tokenizer", "bytes",
                     cwd=self.example)
        model = self.example / "run/step-00000075"
        options = ["--model", model, "--data", "other", "--adapter", "lora",
                   "--rank", 4, "--targets"]
        made = self.train("adapted", "--steps", 10, "--rate", "1e-2", *options,
                          "layers.*.experts.*")
        self.assertIn("layers.*.experts.router, too, which can have no adapters",
                      made.stderr)
        adapter = self.example / "adapted/step-00000010"
        adapted = self.perplexity(model, "--adapter", adapter)
        self.assertLess(adapted, 0.5 * self.perplexity(model))
        self.succeed("merge", model, adapter, "-o", "merged", cwd=self.example)
        merged = (self.example / "merged/model.safetensors").read_bytes()
        self.assertIn(b"layers.1.mlp.experts.7.down_proj.weight", merged)
        self.assertAlmostEqual(self.perplexity("merged"), adapted,
                               delta=1e-3 * adapted)
        self.fail("train", "recipe.toml", "--output", "bad", *options,
                  "*.router", cwd=self.example,
                  says=["layers.*.experts.gate", "got '*.router'"])

    def test_recorded_routing_changes_no_bit(self):
        (self.example / "sums").mkdir()
        (self.example / "sums/train.jsonl").write_text("".join(
            json.dumps({"prompt": f"{a} and ", "answer": str(a * a % 97)}) + "\n"
            for a in range(20)))
        for routing in ("computed", "recorded"):
            self.train(routing, "--model", "run/step-00000075", "--data", "sums",
                       "--method", "grpo", "--length", 16, "--batch", 16,
                       "--group", 4, "--minibatches", 2, "--micro", 4, "--steps",
                       2, "--compare-every", 1, "--rewards", "diversity",
                       "--balance-loss", 0, "--routing", routing,
                       "--evaluate-every", 0)
        computed, recorded = ([{key: line[key] for key in
                                ("loss", "norm", "mismatch", "load_most")}
                               for line in self.log(run) if "loss" in line]
                              for run in ("computed", "recorded"))
        self.assertEqual(computed[0], recorded[0])
        self.assertEqual({line["mismatch"] for line in recorded}, {0})
        self.fail("train", "recipe.toml", "--output", "bad", "--routing",
                  "recorded", cwd=self.example, says=["learns from rewards"])

    def test_bad_input_is_one_error(self):
        def fail(*options, says):
            self.fail("train", "recipe.toml", "--output", "bad", *options,
                      cwd=self.example, says=says)
        fail("--capacity", -1, says=["capacity", "at least 0"])
        fail("--final-capacity", 2, says=["final-capacity", "--capacity"])
        fail("--capacity", 2, "--method", "grpo",
             says=["learn from rewards", "drawn"])
        config = json.loads((self.example / "config.json").read_text())
        (self.example / "wide").mkdir()
        (self.example / "wide/config.json").write_text(
            json.dumps(dict(config, num_experts_per_tok=17)))
        fail("--model", "wide/config.json", says=["1 to 16 experts", "got 17"])

    def test_a_router_that_is_no_number_stops_training(self):
        planted = self.folder / "planted"
        copy_model(self.example / "run/step-00000075", planted)
        plant_nan(planted / "model.safetensors",
                  "model.layers.2.mlp.gate.weight")
        self.fail("train", "recipe.toml", "--output", "nan", "--model", planted,
                  "--steps", 2, cwd=self.example,
                  says=["tn.moe_route in layers.2", "token "])


@needs_compiler
class RouterOfNoNumber(ToolTest):
    def test_says_the_layer_and_the_token(self):
        """Equal layers share their code, and yet the layer is the right one."""
        for layer in (0, 1):
            model = copy_model(GOLDEN / "tiny_qwen3moe",
                               self.folder / f"layer{layer}")
            plant_nan(model / "model.safetensors",
                      f"model.layers.{layer}.mlp.gate.weight")
            error = self.fail("score", model, "-", "--tokens", "--json",
                              input="1 2 3 4", says=["tn.moe_route", "token "])
            self.assertRegex(error, rf"(in|at) layers\.{layer}\b")


if __name__ == "__main__":
    unittest.main()
