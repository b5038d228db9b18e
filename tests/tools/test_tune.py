"""tenon tune: what it keeps is no slower, and changes no text."""

import json
import signal
import subprocess
import time
import unittest

from support import MODEL, TENON, ToolTest, needs_compiler


@needs_compiler
class Tune(ToolTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tuning = cls.folder / "tiny.tuning"
        cls.result = cls.tenon("tune", MODEL, "-o", cls.tuning, "--budget", 6)

    def setUp(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def test_improves_or_keeps_each_kernel(self):
        table = self.result.stdout.split("\nbetter schedules")[0]
        title, *rows = table.strip().splitlines()
        self.assertIn("analytic us", title)
        self.assertTrue(rows)
        for row in rows:
            *_, analytic, best, ratio, _ = row.split()
            self.assertLessEqual(float(best), float(analytic), row)
            self.assertLessEqual(float(ratio), 1, row)

    def test_file_has_what_is_better(self):
        found = json.loads(self.tuning.read_text())
        self.assertEqual(found["tenon_tuning"], 1)
        self.assertGreaterEqual(found["machine"]["threads"], 1)
        self.assertIn(f"better schedules for {len(found['kernels'])} of",
                      self.result.stderr)
        for kernel in found["kernels"]:
            self.assertLess(kernel["tuned_us"], kernel["analytic_us"])

    def test_text_stays_the_same(self):
        self.assertEqual(self.greedy(MODEL, "--tuning", self.tuning),
                         self.greedy(MODEL))
        path = self.folder / "tuned.tenon"
        made = self.succeed("compile", MODEL, "-o", path, "--tuning",
                            self.tuning)
        self.assertNotIn("do not fit", made.stderr)
        self.assertNotIn("not in this program", made.stderr)
        self.assertEqual(self.greedy(path), self.greedy(MODEL))
        self.assertIn("tiny.tuning", self.succeed("inspect", path).stdout)

    def test_output_is_not_replaced_unless_forced(self):
        before = self.tuning.read_text()
        self.fail("tune", MODEL, "-o", self.tuning, says=["--force"])
        self.fail("tune", MODEL, "-o", self.folder / "none/x.tuning",
                  says=["none"])
        self.assertEqual(self.tuning.read_text(), before)

    def test_interrupted_keeps_what_it_found(self):
        path = self.folder / "cut.tuning"
        process = subprocess.Popen(
            [TENON, "tune", MODEL, "-o", path, "--budget", "600"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.env)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(json.loads(path.read_text())["tenon_tuning"], 1)


@needs_compiler
class Files(ToolTest):
    def test_wrong_ones(self):
        path = self.folder / "wrong.tuning"
        for text, says in (("no", "expects JSON"), ("{}", "tenon_tuning"),
                           ('{"tenon_tuning": 1, "kernels": [{}]}', "key")):
            path.write_text(text)
            self.fail("compile", MODEL, "-o", self.folder / "x.tenon",
                      "--tuning", path, says=["wrong.tuning", says])
        self.fail("run", MODEL, "-p", "x", "--tuning",
                  self.folder / "none.tuning", says=["none.tuning"])

    def test_stale_ones_are_told_of(self):
        path = self.folder / "stale.tuning"
        path.write_text(json.dumps({"tenon_tuning": 1, "kernels": [
            {"key": "0", "label": "gone", "symbols": "T=1..1", "cpu": "v3",
             "analytic_us": 2, "tuned_us": 1, "schedules": [
                 {"kind": "rows", "tile": [1, 0], "registers": []}]}]}))
        made = self.succeed("compile", MODEL, "-o", self.folder / "s.tenon",
                            "--cpu", "v3", "--tuning", path)
        self.assertIn("stale.tuning': 1 of 1 kernels are not in this program: "
                      "'gone'", made.stderr)

    def test_not_with_a_program(self):
        program = self.compiled("m.tenon", MODEL, "--cpu", "v3")
        self.fail("run", program, "-p", "x", "--tuning", program,
                  says=["--tuning", "compiled already"])
        self.fail("tune", program, says=["compiled already"])


if __name__ == "__main__":
    unittest.main()
