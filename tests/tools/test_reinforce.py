"""tenon train on what a model generates, on preferences and from a teacher."""

import json
import os
import re
import shutil
import subprocess
import unittest

from support import SOURCE, TENON, ToolTest, needs_compiler

CONFIG = {"model_type": "gpt2", "vocab_size": 257, "n_positions": 64,
          "n_embd": 32, "n_layer": 2, "n_head": 2, "layer_norm_epsilon": 1e-5}
LENGTH = ["--length", 16, "--schedule", "constant", "--decay", 0]
POLICY = [*LENGTH, "--data", "sums", "--rate", "1e-3"]
BATCH = ["--batch", 32, "--group", 8]


def sums():
    return [(a, b) for a in range(10) for b in range(10)]


def lines(path, records):
    path.write_text("".join(json.dumps(each) + "\n" for each in records))


@needs_compiler
class Reinforce(ToolTest):
    """Sums of two digits, learned first from completions, then from rewards."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "config.json").write_text(json.dumps(CONFIG))
        lines(cls.folder / "completions.jsonl",
              [{"prompt": f"{a}+{b}=", "completion": str(a + b)}
               for a, b in sums()])
        tasks = [{"prompt": f"{a}+{b}=", "answer": str(a + b)}
                 for a, b in sums()]
        pairs = [{"prompt": f"{a}+{b}=", "chosen": str(a + b),
                  "rejected": str(a + b + 1)} for a, b in sums()]
        for name, records in (("sums", tasks), ("pairs", pairs)):
            (cls.folder / name).mkdir()
            lines(cls.folder / name / "train.jsonl", records)
            lines(cls.folder / name / "validation.jsonl", records[::9])
        made = cls.tenon("data", "completions.jsonl", "-o", "data",
                         "--tokenizer", "bytes", cwd=cls.folder)
        assert made.returncode == 0, made.stderr
        made = cls.tenon("train", "--model", "config.json", "--data", "data",
                         "--output", "start", "--steps", 60, "--batch", 32,
                         *LENGTH, "--rate", "5e-3", cwd=cls.folder)
        assert made.returncode == 0, made.stderr
        cls.start = "start/step-00000060"

    def train(self, run, *options):
        return self.succeed("train", "--model", self.start, "--output", run,
                            *options, cwd=self.folder)

    def log(self, run, key):
        text = (self.folder / run / "log.jsonl").read_text()
        records = [json.loads(line) for line in text.splitlines()]
        return [record[key] for record in records if key in record]

    def test_rewards_grow_and_probabilities_agree(self):
        for method, compute in (("grpo", "f32"), ("dr-grpo", "bf16"),
                                ("ppo", "f32")):
            run = f"{method}-{compute}"
            self.train(run, *POLICY, "--method", method, "--compute", compute,
                       "--steps", 60, "--compare-every", 4, "--batch", 64,
                       "--group", 8, "--evaluate-every", 60)
            rewards = self.log(run, "reward")
            self.assertEqual(len(rewards), 60)
            self.assertGreater(sum(rewards[-15:]), 1.2 * sum(rewards[:15]), run)
            self.assertEqual(set(self.log(run, "mismatch")), {0.0})
            self.assertEqual(self.log(run, "mismatch_all"), [0.0] * 15)
            self.assertEqual(len(self.log(run, "exact_matches")), 2)

    def test_random_weights_of_a_padded_vocabulary(self):
        folder = self.folder / "padded"
        folder.mkdir()
        (folder / "config.json").write_text(
            json.dumps(CONFIG | {"vocab_size": 512}))
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(self.folder / "data" / name, self.folder / "sums")
        self.succeed("train", "--model", "padded/config.json", "--output",
                     "zero", *POLICY, *BATCH, "--method", "grpo", "--steps", 2,
                     cwd=self.folder)
        self.assertEqual(self.log("zero", "mismatch"), [0.0, 0.0])

    def test_a_rounded_cache_shows(self):
        self.train("rounded", *POLICY, *BATCH, "--method", "grpo", "--steps", 2,
                   "--cache-type", "bf16", "--compare-every", 1)
        self.assertGreater(min(self.log("rounded", "mismatch")), 0)
        self.assertGreater(min(self.log("rounded", "mismatch_all")), 0)

    def test_updates_parts_and_a_penalty(self):
        result = self.train("updates", *POLICY, *BATCH, "--method", "grpo", "--updates",
                            2, "--minibatches", 2, "--penalty", 0.1, "--micro",
                            4, "--steps", 6, "--rewards", "accuracy=2",
                            "diversity=0.1", "--print-every", 3)
        self.assertIn("reward", result.stdout)
        divergence = self.log("updates", "divergence")
        self.assertEqual(divergence[0], 0)
        self.assertGreater(divergence[-1], 0)
        self.assertEqual(set(self.log("updates", "mismatch")), {0.0})
        self.assertEqual(len(self.log("updates", "clipped")), 6)

    def test_a_run_goes_on_with_the_same_bits(self):
        options = [*POLICY, *BATCH, "--method", "ppo", "--minibatches", 2, "--penalty",
                   0.05]
        self.train("whole", *options, "--steps", 6)
        self.train("parts", *options, "--steps", 3)
        self.train("parts", *options, "--steps", 6, "--resume", "--threads", 1)
        for key in ("loss", "norm", "reward", "divergence"):
            self.assertEqual(self.log("whole", key), self.log("parts", key))
        name = "step-00000006/model.safetensors"
        self.assertEqual((self.folder / "whole" / name).read_bytes(),
                         (self.folder / "parts" / name).read_bytes())

    def test_preferences(self):
        self.train("dpo", *LENGTH, "--data", "pairs", "--method", "dpo",
                   "--rate", "1e-3", "--batch", 16, "--steps", 40, "--evaluate-every", 20)
        loss = self.log("dpo", "validation_loss")
        self.assertAlmostEqual(loss[0], 0.6931472, places=6)
        self.assertLess(loss[-1], 0.6)
        self.assertGreater(self.log("dpo", "preferred")[-1], 0.7)

    def test_distillation(self):
        result = self.succeed(
            "train", "--model", "config.json", "--output", "student", *LENGTH,
            "--data", "data", "--method", "distill", "--teacher", self.start,
            "--batch", 32, "--steps", 60, "--rate", "5e-3", cwd=self.folder)
        self.assertIn("tokens to learn", result.stdout)
        loss = self.log("student", "loss")
        self.assertLess(loss[-1], 0.5 * loss[0])

    def test_bad_input_is_one_error(self):
        def fail(*options, says):
            base = ["--length", 16, "--data", "sums", "--batch", 32,
                    "--group", 8]
            given = [*map(str, options)]
            for i in range(0, len(base), 2):
                if base[i] not in given:
                    given += [base[i], base[i + 1]]
            self.fail("train", "--model", self.start, "--output", "bad", *given,
                      cwd=self.folder, says=says)
        policy = ["--method", "grpo"]
        fail("--method", "reinforce", says=["dr-grpo", "reinforce"])
        fail(*policy, "--group", 5, says=["group", "divides the batch"])
        fail(*policy, "--rewards", "luck", says=["accuracy, arithmetic",
                                                 "'luck'"])
        fail(*policy, "--length", 2, says=["prompts of fewer than 3 tokens",
                                           "larger --length"])
        fail(*policy, "--length", 64, says=["context of 65"])
        fail(*policy, "--data", "data", says=["train.jsonl"])
        fail(*policy, "--teacher", self.start, says=["distill alone"])
        fail("--method", "distill", says=["teacher", "got none"])
        (self.folder / "wrong").mkdir()
        lines(self.folder / "wrong/train.jsonl", [{"prompt": "1"}])
        fail(*policy, "--data", "wrong", says=["line 1", "answer"])
        fail("--method", "dpo", "--data", "wrong", says=["line 1", "chosen"])


@needs_compiler
class Tutorial(ToolTest):
    """The commands of docs/rl.md, with a hundredth of the steps."""

    def test_commands(self):
        folder = self.folder / "models/tiny_r1"
        shutil.copytree(SOURCE / "models/tiny_r1", folder)
        for path in folder.glob("*.toml"):
            recipe = re.sub(r"step-(\d+)00", r"step-00\1", path.read_text())
            path.write_text(re.sub(
                r"(?m)^(steps|evaluate-\S+|checkpoint-every) = (\d+)",
                lambda m: f"{m[1]} = {max(int(m[2]) // 100, 1)}", recipe))
        blocks = re.findall(r"```sh\n(.*?)```",
                            (SOURCE / "docs/rl.md").read_text(), re.S)
        script = "".join(blocks).replace("00001000", "00000010")
        environment = dict(
            self.env, PATH=f"{TENON.parent.resolve()}:{os.environ['PATH']}")
        done = subprocess.run(["bash", "-ec", script], cwd=self.folder,
                              env=environment, text=True,
                              stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        log = (folder / "tasks/grpo/log.jsonl").read_text().splitlines()
        steps = [json.loads(line) for line in log if "mismatch" in line]
        self.assertEqual(len(steps), 10)
        for step in steps:
            self.assertEqual((step["mismatch"], step["mismatch_all"]), (0, 0))
        checked = subprocess.run(
            ["python3", "make_tasks.py", "tasks", "--check"], cwd=folder,
            env=environment, text=True, stdout=subprocess.PIPE)
        self.assertEqual(checked.returncode, 0, checked.stdout)


if __name__ == "__main__":
    unittest.main()
