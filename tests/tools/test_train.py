"""tenon data and tenon train: what a run leaves, and how one goes on."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from support import MODEL, SOURCE, TENON, ToolTest, needs_compiler

CONFIG = {"model_type": "gpt2", "vocab_size": 257, "n_positions": 64,
          "n_embd": 32, "n_layer": 2, "n_head": 2, "layer_norm_epsilon": 1e-5}
RECIPE = """
model = "config.json"  # from scratch
data = "data"
output = "run"
steps = 30
batch = 4
length = 32
rate = 1e-2
warmup = 5
"""


def text():
    """Words that follow each other by a rule."""
    words = [f"{n} and {n * n % 97} are {'even' if n % 2 else 'odd'}."
             for n in range(2000)]
    return "\n".join(words)


@needs_compiler
class Train(ToolTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.folder / "config.json").write_text(json.dumps(CONFIG))
        (cls.folder / "recipe.toml").write_text(RECIPE)
        (cls.folder / "text.txt").write_text(text())
        made = cls.tenon("data", "text.txt", "-o", "data", "--tokenizer",
                         "bytes", cwd=cls.folder)
        assert made.returncode == 0, made.stderr

    def train(self, *options, **keywords):
        return self.succeed("train", "recipe.toml", *options, cwd=self.folder,
                            **keywords)

    def log(self, run):
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def losses(self, run):
        return {line["step"]: (line["loss"], line["norm"])
                for line in self.log(run) if "loss" in line}

    def test_learns_and_leaves_a_model(self):
        result = self.train("--output", "whole", "--steps", 60,
                            "--evaluate-every", 20, "--sample-every", 60,
                            "--prompt", "1 and")
        losses = self.losses("whole")
        self.assertEqual(sorted(losses), list(range(1, 61)))
        self.assertGreater(losses[1][0], 5)
        self.assertLess(losses[60][0], 3)
        evaluated = {line["step"]: line["validation_loss"]
                     for line in self.log("whole")
                     if "validation_loss" in line}
        self.assertEqual(sorted(evaluated), [0, 20, 40, 60])
        self.assertLess(evaluated[60], evaluated[20])
        samples = [line for line in self.log("whole") if "sample" in line]
        self.assertEqual(len(samples), 1)
        self.assertTrue(samples[0]["sample"].startswith("1 and"))
        self.assertIn("memory:", result.stdout)
        self.assertTrue((self.folder / "whole/loss.svg").read_text()
                        .endswith("</svg>\n"))
        model = self.folder / "whole/step-00000060"
        self.succeed("run", model, "-p", "1 and", "-n", 8, "--greedy")
        # The model scores the text as it was evaluated: no better than chance
        # would be 5.5.
        (self.folder / "some.txt").write_text(text()[:2000])
        scored = json.loads(self.succeed(
            "score", model, "some.txt", "--context", 32, "--json",
            cwd=self.folder).stdout)
        self.assertLess(scored["mean_negative_log_likelihood"], 3.5)

    def test_computes_in_bf16(self):
        losses = {}
        for compute in ("f32", "bf16"):
            self.train("--output", compute, "--compute", compute)
            losses[compute] = self.losses(compute)
        self.assertNotEqual(losses["f32"][1], losses["bf16"][1])
        for step, (loss, _) in losses["f32"].items():
            self.assertAlmostEqual(loss, losses["bf16"][step][0],
                                   delta=0.02 * loss)

    def test_killed_runs_go_on_with_the_same_bits(self):
        options = ["--checkpoint-every", 5, "--batch", 8]
        self.train("--output", "straight", *options)
        command = [str(TENON), "train", "recipe.toml", "--output", "killed",
                   *map(str, options)]
        process = subprocess.Popen(command, cwd=self.folder, env=self.env,
                                   stdout=subprocess.DEVNULL)
        log = self.folder / "killed/log.jsonl"
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if log.exists() and len(log.read_text().splitlines()) >= 7:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len(self.losses("killed"))
        self.assertGreaterEqual(before, 6)
        resumed = self.train("--output", "killed", "--resume", *options)
        at = int(re.search(r"going on after step (\d+)",
                           resumed.stdout).group(1))
        self.assertLessEqual(at, before)
        self.assertEqual(self.losses("killed"), self.losses("straight"))
        last = "step-00000030/model.safetensors"
        self.assertEqual((self.folder / "killed" / last).read_bytes(),
                         (self.folder / "straight" / last).read_bytes())

    def test_checkpoints_that_were_cut_are_passed_over(self):
        self.train("--output", "cut", "--steps", 4)
        half = self.folder / "cut/.partial-step-00000006"
        half.mkdir()
        (half / "model.safetensors").write_bytes(b"half")
        with (self.folder / "cut/log.jsonl").open("a") as log:
            log.write('{"step": 5, "lo')  # the line that was being written
        result = self.train("--output", "cut", "--resume", "--steps", 6)
        self.assertIn("going on after step 4", result.stdout)
        self.assertFalse(half.exists())
        self.assertEqual(sorted(self.losses("cut")), [1, 2, 3, 4, 5, 6])

    def test_interrupt_writes_a_checkpoint(self):
        command = [str(TENON), "train", "recipe.toml", "--output", "stopped",
                   "--steps", "100000"]
        process = subprocess.Popen(command, cwd=self.folder, env=self.env,
                                   stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        log = self.folder / "stopped/log.jsonl"
        while process.poll() is None and not (
                log.exists() and log.read_text().count("\n") > 2):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=120), 130)
        steps = len(self.losses("stopped"))
        self.assertTrue(
            (self.folder / f"stopped/step-{steps:08}/training.json").exists())

    def test_sums_of_parts_are_the_step(self):
        self.train("--output", "at-once", "--steps", 3)
        self.train("--output", "parts", "--steps", 3, "--micro", 1)
        whole, parts = self.losses("at-once"), self.losses("parts")
        for step in (1, 2, 3):
            self.assertAlmostEqual(whole[step][0], parts[step][0], delta=1e-4)
            self.assertAlmostEqual(whole[step][1] / parts[step][1], 1,
                                   delta=1e-3)

    def test_threads_do_not_matter(self):
        for threads in (1, 2):
            self.train("--output", f"threads{threads}", "--steps", 3,
                       "--threads", threads)
        self.assertEqual(self.losses("threads1"), self.losses("threads2"))

    def test_budget_takes_fewer_at_once(self):
        result = self.train("--output", "budget", "--steps", 2, "--batch", 64,
                            "--memory-budget", "6MiB")
        at_once = int(re.search(r"(\d+) at once", result.stdout).group(1))
        self.assertLess(at_once, 64)
        self.fail("train", "recipe.toml", "--output", "none",
                  "--memory-budget", "100KiB", cwd=self.folder, code=1,
                  says=["--memory-budget of at least", "MiB"])

    def test_curriculum_grows(self):
        self.train("--output", "grows", "--steps", 4, "--curriculum", "0:8",
                   "--curriculum", "2:16")
        tokens = [line["tokens"] for line in self.log("grows")]
        self.assertEqual(tokens, [4 * 32] * 4)

    def test_sgd_and_schedules(self):
        for schedule in ("linear", "constant"):
            self.train("--output", "sgd-" + schedule, "--steps", 4,
                       "--optimizer", "sgd", "--schedule", schedule,
                       "--warmup", 1)
        rates = [line["rate"] for line in self.log("sgd-linear")]
        for rate, expected in zip(rates, (0.01, 0.01, 0.005, 0)):
            self.assertAlmostEqual(rate, expected, places=6)

    def test_frozen_weights_stay(self):
        self.train("--output", "frozen", "--steps", 2, "--checkpoint-every", 1,
                   "--frozen", "layers.*", "--frozen", "places.*")
        first, second = ((self.folder / f"frozen/step-0000000{n}"
                          / "model.safetensors").read_bytes() for n in (1, 2))
        def layer(data):  # after the embedding and the places
            return data[-4 * 2 * 12 * 32 * 32:]
        self.assertNotEqual(first, second)
        self.assertEqual(layer(first), layer(second))
        self.fail("train", "recipe.toml", "--output", "nothing", "--frozen",
                  "*", cwd=self.folder, says=["at least one weight to train"])

    def test_no_number_stops_the_run(self):
        options = ["--rate", "1e30", "--warmup", "0"]
        error = self.fail("train", "recipe.toml", "--output", "nan", *options,
                          "--checkpoint-every", 1, cwd=self.folder,
                          says=["no finite number", "kernel", "layers.0",
                                "the newest checkpoint is of step 1"])
        self.assertIn("models/gpt2", error)
        result = self.train("--output", "skip", *options, "--on-nan", "skip",
                            "--steps", 5)
        self.assertIn("skipped step", result.stderr)
        self.assertEqual(
            sum("skipped" in line for line in self.log("skip")), 4)

    def test_loss_scale_leaves_the_losses(self):
        self.train("--output", "unscaled", "--steps", 3)
        self.train("--output", "scaled", "--steps", 3, "--loss-scale", 1024)
        for step, (loss, norm) in self.losses("unscaled").items():
            scaled = self.losses("scaled")[step]
            self.assertAlmostEqual(scaled[0], loss, delta=1e-5)
            self.assertAlmostEqual(scaled[1] / norm, 1, delta=1e-4)

    def test_bad_recipes_are_one_error(self):
        def fail(*options, says):
            self.fail("train", "recipe.toml", "--output", "bad", *options,
                      cwd=self.folder, says=says)
        (self.folder / "unknown.toml").write_text("stepz = 3\n")
        self.fail("train", "unknown.toml", cwd=self.folder,
                  says=["stepz", "steps", "batch"])
        (self.folder / "type.toml").write_text("steps = \"many\"\n")
        self.fail("train", "type.toml", cwd=self.folder, says=["steps"])
        self.fail("train", "none.toml", cwd=self.folder, says=["none.toml"])
        self.fail("train", cwd=self.folder, says=["--model"])
        fail("--batch", 100000, says=["at least 100000 sequences", "batch"])
        fail("--data", "nowhere", says=["nowhere", "tenon data"])
        fail("--optimizer", "adam", says=["adamw or sgd"])
        fail("--curriculum", "x", says=["STEP:LENGTH"])
        fail("--resume", says=["a checkpoint", "to resume"])
        fail("--sample-every", 2, says=["--prompt"])
        self.assertFalse((self.folder / "bad").exists()
                         and list((self.folder / "bad").glob("step-*")))

    def test_checkpoints_of_other_runs_are_refused(self):
        self.train("--output", "own", "--steps", 1)
        self.fail("train", "recipe.toml", "--output", "own", cwd=self.folder,
                  says=["--resume"])
        self.fail("train", "recipe.toml", "--output", "own", "--resume",
                  "--seed", 5, cwd=self.folder, says=["seed"])
        wide = dict(CONFIG, n_embd=64)
        (self.folder / "wide").mkdir()
        (self.folder / "wide/config.json").write_text(json.dumps(wide))
        self.fail("train", "recipe.toml", "--output", "own", "--resume",
                  "--model", "wide/config.json", cwd=self.folder,
                  says=["checkpoint of this model", "got f32"])
        weights = self.folder / "own/step-00000001/model.safetensors"
        weights.write_bytes(weights.read_bytes()[:5000])
        self.fail("train", "recipe.toml", "--output", "own", "--resume",
                  cwd=self.folder, says=["model.safetensors"])

    def test_a_full_disk_keeps_the_checkpoint_before(self):
        result = subprocess.run(
            ["bash", "-c", "ulimit -f 200; exec \"$@\"", "-", str(TENON),
             "train", "recipe.toml", "--output", "full", "--steps", "2",
             "--checkpoint-every", "1"],
            cwd=self.folder, env=self.env, text=True, stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(
                signal.SIGXFSZ, signal.SIG_IGN))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("checkpoint of step 1", result.stderr)
        self.assertEqual(list((self.folder / "full").glob("*step-*")), [])

    def test_completions_alone_are_learned(self):
        lines = [json.dumps({"prompt": f"{n} plus one is",
                             "completion": f" {n + 1}."}) for n in range(40)]
        (self.folder / "tasks.jsonl").write_text("\n".join(lines))
        self.succeed("data", "tasks.jsonl", "-o", "tasks", "--tokenizer",
                     "bytes", "--hold-out", 0.25, cwd=self.folder)
        result = self.train("--output", "tasks-run", "--data", "tasks",
                            "--steps", 2, "--batch", 2, "--evaluate-every", 2,
                            "--evaluate-matches", 4)
        self.assertIn("0 of 4 completions exact", result.stdout)
        # " N." or " NN." and the end of the text.
        for line in self.log("tasks-run"):
            self.assertLessEqual(line.get("tokens", 0), 2 * 5)
        (self.folder / "wrong.jsonl").write_text('{"prompt": "a"}\n')
        self.fail("data", "wrong.jsonl", "-o", "wrong", "--tokenizer", "bytes",
                  cwd=self.folder, says=["wrong.jsonl:1", "completion"])


@needs_compiler
class Tutorial(ToolTest):
    """The commands of docs/train.md, on a shorter text and with fewer steps."""

    def test_commands(self):
        folder = self.folder / "examples/train_text"
        shutil.copytree(SOURCE / "examples/train_text", folder)
        recipe = (folder / "recipe.toml").read_text()
        short = re.sub(r"(?m)^(steps|\S+-every) = (\d+)",
                       lambda m: f"{m[1]} = {int(m[2]) // 100}", recipe)
        self.assertNotEqual(recipe, short)
        (folder / "recipe.toml").write_text(short)
        commands = re.findall(r"```sh\n(.*?)```",
                              (SOURCE / "docs/train.md").read_text(), re.S)
        lines = [line for block in commands for line in block.splitlines()]
        lines = lines[:lines.index("cd ../lora")]  # Adapters has the rest
        self.assertEqual(lines[0], "cd examples/train_text")
        (folder / "text.txt").write_text(text())
        environment = dict(
            self.env, PATH=f"{TENON.parent.resolve()}:{os.environ['PATH']}")
        for line in lines[1:]:
            if line.startswith("bible") or "gemma.gguf" in line:
                continue  # what is not there
            line = line.replace("00000900", "00000009").replace("900", "9")
            done = subprocess.run(["bash", "-c", line], cwd=folder, text=True,
                                  env=environment, stderr=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
            self.assertEqual(done.returncode, 0, line + "\n" + done.stderr)


@needs_compiler
class Adapters(ToolTest):
    """LoRA beside the weights of a tiny Gemma, in q8_0."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lines = [json.dumps({"prompt": f"The {n}", "completion": " cat ran."})
                 for n in range(20)]
        (cls.folder / "tasks.jsonl").write_text("\n".join(lines))
        made = cls.tenon("data", "tasks.jsonl", "-o", "data", "--tokenizer",
                         MODEL, "--hold-out", 0.2, cwd=cls.folder)
        assert made.returncode == 0, made.stderr
        (cls.folder / "recipe.toml").write_text(
            'data = "data"\nadapter = "lora"\nrank = 4\nalpha = 8\n'
            'targets = ["layers.*.attention.*", "layers.*.feed_forward.up"]\n'
            "steps = 40\nbatch = 4\nlength = 32\nrate = 2e-2\n")

    def train(self, output, *options):
        return self.succeed("train", "recipe.toml", "--model", MODEL,
                            "--output", output, *options, cwd=self.folder)

    def losses(self, run):
        lines = (self.folder / run / "log.jsonl").read_text().splitlines()
        return {line["step"]: line["loss"] for line in map(json.loads, lines)
                if "loss" in line}

    def text(self, model, *options):
        return self.succeed("run", model, "-p", "The 7", "--greedy", "-n", 12,
                            *options, cwd=self.folder).stdout

    def test_learn_run_and_merge(self):
        result = self.train("run", "--evaluate-every", 40,
                            "--evaluate-matches", 4)
        self.assertIn("step 40", result.stdout)
        self.assertIn("4 of 4 completions exact", result.stdout)
        adapter = self.folder / "run/step-00000040"
        names = sorted(path.name for path in adapter.iterdir())
        self.assertEqual(names, ["adapter_config.json",
                                 "adapter_model.safetensors",
                                 "optimizer.safetensors", "training.json"])
        before = self.text(MODEL)
        adapted = self.text(MODEL, "--adapter", adapter)
        self.assertIn("cat ran.", adapted)
        self.assertNotEqual(before, adapted)
        self.assertEqual(self.text(MODEL), before)
        self.succeed("merge", MODEL, adapter, "-o", "merged.gguf", "--type",
                     "f32", cwd=self.folder)
        self.assertEqual(self.text(self.folder / "merged.gguf"), adapted)
        # A program for adapters of that form takes any of them.
        self.succeed("compile", MODEL, "-o", "any.tenon", "--adapter", adapter,
                     cwd=self.folder)
        program = self.folder / "any.tenon"
        self.assertEqual(self.text(program), before)
        self.assertEqual(self.text(program, "--adapter", adapter), adapted)

    def test_go_on_with_the_same_bits(self):
        self.train("straight", "--steps", 6)
        self.train("parts", "--steps", 6, "--checkpoint-every", 3)
        shutil.rmtree(self.folder / "parts/step-00000006")
        self.train("parts", "--steps", 6, "--resume")
        self.assertEqual(self.losses("parts"), self.losses("straight"))

    def test_bad_adapters_are_one_error(self):
        self.fail("train", "recipe.toml", "--model", MODEL, "--output", "bad",
                  "--targets", "layers.*.nothing", cwd=self.folder,
                  says=["layers.*.nothing", "layers.0.attention.query"])
        self.fail("train", "recipe.toml", "--model", MODEL, "--output", "bad",
                  "--adapter", "lore", cwd=self.folder,
                  says=["lora, rslora or bottleneck"])
        self.fail("run", MODEL, "-p", "x", "--adapter", self.folder / "none",
                  says=["none"])


if __name__ == "__main__":
    unittest.main()
