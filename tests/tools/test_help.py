"""Help texts teach; mistakes on the command line say where to look."""

import unittest

from support import ToolTest

COMMANDS = ("run", "bench", "score", "compile", "inspect", "tokenize",
            "merge")


class Help(ToolTest):
    def test_lists_the_commands(self):
        text = self.succeed("--help").stdout
        for command in COMMANDS:
            self.assertIn(command, text)

    def test_every_command_shows_examples_in_80_columns(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = self.succeed(command, "--help").stdout
                self.assertIn("Examples:", text)
                self.assertIn(f"tenon {command} gemma", text)
                self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_defaults_are_shown(self):
        text = self.succeed("run", "--help").stdout
        self.assertIn("[default: 0.8]", text)
        self.assertIn("default: 0.95", text)

    def test_version_names_the_abi(self):
        self.assertRegex(self.succeed("--version").stdout,
                         r"^tenon \d+\.\d+\.\d+ \(abi \d+\)\n$")

    def test_no_command(self):
        self.fail(says=["--help"])

    def test_unknown_command(self):
        self.fail("frobnicate", says=["frobnicate", "--help"])

    def test_unknown_option(self):
        self.fail("run", "m.gguf", "--frobnicate",
                  says=["--frobnicate", "tenon run --help"])

    def test_missing_argument(self):
        self.fail("compile", "m.gguf", says=["--output", "required"])

    def test_value_outside_its_range(self):
        self.fail("run", "m.gguf", "--top-p", "1.5", says=["--top-p", "1.5"])
        self.fail("run", "m.gguf", "-n", "-1", says=["-n"])
        self.fail("run", "m.gguf", "--cpu", "sse2", says=["--cpu", "sse2"])

    def test_options_that_exclude_each_other(self):
        self.fail("run", "m.gguf", "-p", "x", "--prompt-file", "y",
                  says=["--prompt"])
        self.fail("run", "m.gguf", "--system", "x", says=["--chat"])


if __name__ == "__main__":
    unittest.main()
