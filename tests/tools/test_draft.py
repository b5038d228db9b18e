"""Steps that draft tokens: the same text, and what cannot draft."""

import json
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


if __name__ == "__main__":
    unittest.main()
