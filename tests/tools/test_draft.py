"""Steps that draft tokens: the same text, and what cannot draft."""

import json
import re
import unittest

from support import (DEEPSEEK, MODEL, PROMPT, ToolTest, byte_tokenizer,
                     copy_model, needs_compiler)


@needs_compiler
class Drafts(ToolTest):
    def setUp(self):
        self.model = self.folder / "deepseek"
        if not self.model.exists():
            copy_model(DEEPSEEK, self.model)
            (self.model / "tokenizer.json").write_text(
                json.dumps(byte_tokenizer()))

    def test_do_not_change_the_text(self):
        for sampling in ("--greedy",), ("--seed", 3):
            text = ("run", self.model, "-p", PROMPT, "-n", 40, "--stats")
            expected = self.succeed(*text, *sampling)
            self.assertNotIn("drafts", expected.stderr)
            got = self.succeed(*text, *sampling, "--draft", "mtp",
                               "--draft-tokens", 2)
            self.assertEqual(got.stdout, expected.stdout)
            self.assertRegex(got.stderr,
                             r"drafts +\d+ tokens, \d+ accepted, [\d.]+ %")

    def test_of_programs_that_can(self):
        plain = self.compiled("plain.tenon", self.model)
        self.fail("run", plain, "-p", PROMPT, "--draft", "mtp",
                  says=["'draft'", "tenon compile --draft mtp"])
        drafting = self.compiled("drafts.tenon", self.model, "--draft", "mtp")
        text = ("run", drafting, "-p", PROMPT, "-n", 20, "--greedy")
        expected = self.succeed(*text).stdout
        self.assertEqual(self.succeed(*text, "--draft", "mtp").stdout,
                         expected)

    def test_of_models_that_cannot(self):
        self.fail("run", MODEL, "-p", PROMPT, "--draft", "mtp",
                  says=["predicts a further token"])


@needs_compiler
class Trained(ToolTest):
    """A model that learns further tokens from scratch drafts well."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        config = json.loads((DEEPSEEK / "config.json").read_text())
        config.update(vocab_size=257, q_lora_rank=None, rope_scaling=None)
        (cls.folder / "config.json").write_text(json.dumps(config))
        (cls.folder / "text.txt").write_text("".join(
            f"{n % 10} and {(n + 1) % 10} are {'even' if n % 2 else 'odd'}.\n"
            for n in range(3000)))
        cls.recipe = ("train", "--model", cls.folder / "config.json",
                      "--data", cls.folder / "data", "--length", 64,
                      "--batch", 8, "--rate", 5e-3,
                      "--checkpoint-every", 60)

    def log(self, run):
        text = (self.folder / run / "log.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def test_drafts_are_right(self):
        self.succeed("data", self.folder / "text.txt", "-o",
                     self.folder / "data", "--tokenizer", "bytes")
        self.succeed(*self.recipe, "--output", self.folder / "run",
                     "--steps", 60, "--mtp-loss", 0.3)
        losses = [line["further_loss"] for line in self.log("run")
                  if "further_loss" in line]
        self.assertEqual(len(losses), 60)
        self.assertLess(losses[-1], losses[0] / 3)
        text = ("run", self.folder / "run/step-00000060", "-p", "3 and 4 ",
                "--greedy", "-n", 100, "--stats")
        expected = self.succeed(*text)
        got = self.succeed(*text, "--draft", "mtp")
        self.assertEqual(got.stdout, expected.stdout)
        accepted = re.search(r"accepted, ([\d.]+) %", got.stderr)
        self.assertGreater(float(accepted[1]), 50)
        # Without the loss there is no such layer.
        self.succeed(*self.recipe, "--output", self.folder / "plain",
                     "--steps", 2)
        self.assertNotIn("further_loss", self.log("plain")[-1])

    def test_bad_input_is_one_error(self):
        self.fail(*self.recipe, "--output", self.folder / "bad",
                  "--mtp-loss", -1, says=["mtp-loss", "at least 0"])
        self.fail(*self.recipe, "--output", self.folder / "bad",
                  "--mtp-loss", 1, "--method", "grpo",
                  says=["mtp-loss expects the method text, got grpo"])


if __name__ == "__main__":
    unittest.main()
