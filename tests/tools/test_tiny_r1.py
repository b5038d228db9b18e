"""The model that lies in the repository answers what it never met."""

import json
import subprocess
import sys
import unittest

from support import SOURCE, TENON, ToolTest, needs_compiler

FOLDER = SOURCE / "models/tiny_r1"


@needs_compiler
class TinyR1(ToolTest):
    def script(self, name, *arguments):
        return subprocess.run(
            [sys.executable, "-B", FOLDER / name, *map(str, arguments)],
            env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, check=False)

    def answers(self, *options):
        """The right ones of all 1,000 that are held out."""
        done = self.script("check_answers.py", TENON.resolve(),
                           FOLDER / "weights",
                           self.folder / "tasks/held_out.jsonl", *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return int(done.stdout.split()[0])

    def test_equations_that_are_held_out(self):
        made = self.script("make_tasks.py", self.folder / "tasks")
        self.assertEqual(made.returncode, 0, made.stderr)
        made = self.script("make_tasks.py", self.folder / "tasks", "--check")
        self.assertEqual(made.returncode, 0, made.stdout)
        self.assertGreaterEqual(self.answers("--at-least", 0.9), 900)
        self.assertLess(self.answers("--shuffle", 0), 50)

    def test_thinks_first(self):
        text = self.succeed("run", FOLDER / "weights", "--greedy", "-n", 64,
                            "-p", "Solve 2x + 5 = 15.").stdout
        self.assertEqual(text.strip(),
                         "<think>2x=15-5=10\nx=10/2=5</think>x = 5")

    def test_is_small(self):
        self.assertLessEqual(
            (FOLDER / "weights/model.safetensors").stat().st_size, 12 << 20)
        config = json.loads((FOLDER / "config.json").read_text())
        self.assertEqual(
            config, json.loads((FOLDER / "weights/config.json").read_text()))


if __name__ == "__main__":
    unittest.main()
