"""What bench-peers makes of its records: verdicts, tables, plots."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
from peers import report, work  # noqa: E402

SQUARE = "matmul/f32/m:2048/n:2048/k:2048/threads:"
MODEL = "model/llama11/q8_0"
PROBES = {"fmaF32/threads:2": 200e9, "readBandwidth/threads:2": 20e9}


def kernel(tenon, roof, **peers):
    return {"unit": "s", "threads": 1,
            "tenon": {"runs": [tenon], "roof": [roof]},
            "peers": {peer: {"runs": [seconds]}
                      for peer, seconds in peers.items()}}


def rate(tenon, **peers):
    return {"unit": "tokens/s", "threads": 2, "bytes_per_token": int(1e9),
            "weights_per_token": int(1e9), "probes": PROBES,
            "tenon": {"runs": [tenon], "activations": "q8"},
            "peers": {peer: {"runs": [value]} for peer, value in peers.items()}}


def row(record, target, name="matmul/f32/m:1/n:1/k:1/threads:1"):
    return report.Row(name, "group", target, record, PROBES)


class Verdicts(unittest.TestCase):
    def test_both_must_hold(self):
        target = work.Target(roof=0.9, ratio=0.98)
        for tenon, roof, expected in ((1, 0.9, "pass"), (1, 0.89, "short"),
                                      (1.1, 0.95, "short")):
            record = kernel(tenon, roof, onednn=1, torch=2)
            self.assertEqual(row(record, target).verdict(), expected)

    def test_the_best_peer_counts(self):
        found = row(kernel(1, 0.5, torch=3, onednn=2), work.Target(ratio=1))
        self.assertEqual((found.best, found.ratio), ("onednn", 2))
        found = row(rate(30, llama=20, ik=25), work.Target(ratio=1.1),
                    MODEL + "/decode 64")
        self.assertEqual((found.best, found.ratio), ("ik", 1.2))
        self.assertEqual(found.verdict(), "pass")

    def test_a_figure_may_name_its_peer(self):
        target = work.Target(ratio=0.98, against="onednn")
        for onednn, expected in ((1, "pass"), (0.9, "short")):
            found = row(kernel(1, 0.9, onednn=onednn, torch=0.8), target)
            self.assertEqual((found.best, found.verdict()),
                             ("torch", expected))
        self.assertEqual(row(kernel(1, 0.9, torch=1), target).verdict(), "-")

    def test_the_bandwidth_may_do_instead(self):
        target = work.Target(roof=0.85, ratio=1.1, either=True)
        for tenon, expected in ((17, "pass"), (16, "short"), (23, "pass")):
            record = rate(tenon, llama=20)
            self.assertEqual(
                row(record, target, MODEL + "/decode 64").verdict(), expected)

    def test_what_is_not_known_is_not_claimed(self):
        target = work.Target(roof=0.9, ratio=0.98)
        alone = kernel(1, 0.95)
        self.assertEqual(row(alone, target).verdict(), "-")
        alone["tenon"]["roof"] = [0.8]  # Short whatever a peer does.
        self.assertEqual(row(alone, target).verdict(), "short")
        missing = kernel(1, 0.9, onednn=1)
        missing["tenon"] = {"error": "no such benchmark"}
        self.assertEqual(row(missing, target).verdict(), "-")

    def test_at_most(self):
        for seconds, expected in ((2, "pass"), (2.1, "short")):
            record = kernel(seconds, None)
            record["tenon"]["roof"] = []
            self.assertEqual(row(record, work.Target(most=2)).verdict(),
                             expected)


class Written(unittest.TestCase):
    def setUp(self):
        self.results = {
            "machine": {"cpu": "X", "cpus": 2, "load_average_before": 0.1},
            "commit": "0123", "date": "2026-01-01", "command": "bench-peers",
            "peers": {"llama": ["llama==1"]}, "rounds": 1, "probes": [PROBES],
            "rows": {
                SQUARE + "1": kernel(2, 0.96, onednn=2),
                SQUARE + "2": kernel(1, 0.91, onednn=1),
                MODEL + "/prompt 512": rate(150, llama=100),
                MODEL + "/decode 64": rate(15, llama=10)}}
        self.results["rows"][SQUARE + "1"]["peers"]["jax"] = {"error": "oops"}

    def write(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "peers-0123.json"
            sys.stdout, stdout = open(os.devnull, "w"), sys.stdout
            try:
                report.write(path, self.results)
            finally:
                sys.stdout.close()
                sys.stdout = stdout
            return {file.name: file.read_text()
                    for file in Path(folder).iterdir()}

    def test_the_table_has_every_row(self):
        text = self.write()["peers-0123.md"]
        self.assertIn("4 pass, 0 short, 0 unmeasured", text)
        for name in self.results["rows"]:
            self.assertIn(f"`{name.split('/', 1)[1]}`", text)
        self.assertIn("| f32 2048^3: two threads over one | 2.00 | 1.9 | pass",
                      text)
        self.assertIn("jax: oops", text)

    def test_plots_are_well_formed(self):
        files = self.write()
        for name in ("peers-0123.svg", "peers-0123-roofline.svg"):
            root = xml.etree.ElementTree.fromstring(files[name])
            self.assertGreater(len(root), 10)
            self.assertIn(f"({name})", files["peers-0123.md"])
        dots = files["peers-0123-roofline.svg"].count("<circle")
        self.assertEqual(dots, 4 + 2)  # and two of the key

    def test_prompts_have_the_roof_of_their_activations(self):
        record = rate(100, llama=100)
        self.assertIsNone(row(record, work.Target(), MODEL + "/prompt 9").roof)
        record["probes"] = {**PROBES, "dotInt8/threads:2": 800e9}
        found = row(record, work.Target(), MODEL + "/prompt 9")
        self.assertEqual(found.roof, 0.25)
        record["tenon"]["activations"] = "f32"
        found = row(record, work.Target(), MODEL + "/prompt 9")
        self.assertEqual(found.roof, 1.0)


class Listed(unittest.TestCase):
    def test_names_are_of_one_item(self):
        names = [item.name for item in work.items()]
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertFalse(any(other.startswith(name + "/")
                                 for other in names))

    def test_options(self):
        def bench(*words):
            done = subprocess.run(
                [sys.executable, "-B", SCRIPTS / "bench-peers", *words],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, check=False)
            return done.returncode, done.stdout.splitlines(), done.stderr

        code, every, _ = bench("--list")
        self.assertEqual((code, len(every)), (0, len(work.items())))
        code, few, _ = bench("--list", "--quick", "--only", "^model/")
        self.assertEqual((code, few), (0, ["model/gemma3-270m/q4_k_m"]))
        code, _, error = bench("--install", "word-processor")
        self.assertEqual(code, 2)
        self.assertIn("llama", error)


if __name__ == "__main__":
    unittest.main()
