"""What bench measures and refuses."""

import json
import unittest

from support import MODEL, ToolTest, needs_compiler


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


if __name__ == "__main__":
    unittest.main()
