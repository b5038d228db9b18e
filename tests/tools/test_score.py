"""What score works out, from golden logits too, and what it refuses."""

import json
import math
import os
import signal
import struct
import subprocess
import unittest

from support import GEMMA, LLAMA, MODEL, QWEN, TENON, ToolTest, needs_compiler

TEXT = "The cat sat on the mat and then it ran: 1, 2, 3!"
BOS = 2  # Gemma's, which its tokenizer adds


def golden(folder):
    """(tokens, logits [tokens, vocabulary]) of each case."""
    data = (folder / "expected.safetensors").read_bytes()
    size = struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:8 + size])
    for i, case in enumerate(json.loads((folder / "cases.json").read_text())):
        entry = header[f"logits.{i}"]
        rows, width = entry["shape"]
        begin = 8 + size + entry["data_offsets"][0]
        yield case["tokens"], [
            struct.unpack_from(f"<{width}f", data, begin + 4 * width * row)
            for row in range(rows)]


def log_softmax(logits, token):
    most = max(logits)
    return logits[token] - most - math.log(
        math.fsum(math.exp(x - most) for x in logits))


def expected_scores(tokens, logits):
    return [log_softmax(logits[i], token)
            for i, token in enumerate(tokens[1:])]


class ScoreTest(ToolTest):
    def score(self, text, *options, model=MODEL):
        return json.loads(self.succeed("score", model, "-", "--json", *options,
                                       input=text).stdout)

    def score_ids(self, ids, *options, model=MODEL):
        return self.score(" ".join(map(str, ids)), "--tokens", *options,
                          model=model)

    def found(self, result):
        return [token["log_probability"] for token in result["tokens"]]


@needs_compiler
class Golden(ScoreTest):
    def test_log_probabilities_are_those_of_the_golden_logits(self):
        for folder in (GEMMA, QWEN, LLAMA):
            for tokens, logits in golden(folder):
                with self.subTest(folder.name, tokens=tokens):
                    result = self.score_ids(tokens,
                                            model=folder / "model.gguf")
                    found = self.found(result)
                    expected = expected_scores(tokens, logits)
                    self.assertIsNone(found[0])
                    self.assertEqual(len(found), len(tokens))
                    for a, b in zip(found[1:], expected):
                        self.assertAlmostEqual(a, b, delta=5e-5)
                    mean = -math.fsum(expected) / len(expected)
                    self.assertAlmostEqual(
                        result["mean_negative_log_likelihood"], mean,
                        delta=5e-5)
                    self.assertAlmostEqual(
                        result["perplexity"] / math.exp(mean), 1, delta=5e-5)

    def test_text_is_scored_as_its_tokens(self):
        tokens = next(ids for ids, _ in golden(GEMMA) if len(ids) == 21)
        result = self.score(TEXT)
        self.assertEqual([token["id"] for token in result["tokens"]], tokens)
        self.assertEqual(result["tokens"][1]["piece"], "The")
        self.assertTrue(result["begins_with_bos"])
        self.assertEqual(self.found(result),
                         self.found(self.score_ids(tokens)))


@needs_compiler
class Windows(ScoreTest):
    IDS = [10 + i * 7 % 90 for i in range(40)]

    def test_chunks_and_threads_change_nothing(self):
        for options in ((), ("--context", 16, "--stride", 5)):
            expected = self.found(self.score_ids(self.IDS, *options))
            for chunk in (1, 2, 7, 512):
                for threads in (1, 2):
                    self.assertEqual(expected, self.found(self.score_ids(
                        self.IDS, *options, "--chunk", chunk, "--threads",
                        threads)))

    def test_windows_see_nothing_before_them(self):
        result = self.score_ids(self.IDS, "--context", 16)
        found = []
        for begin in range(0, 40, 16):
            found += self.found(self.score_ids(self.IDS[begin:begin + 16]))
        self.assertEqual(self.found(result), found)
        self.assertEqual((result["windows"], result["tokens_scored"]), (3, 37))
        self.assertFalse(result["begins_with_bos"])

    def test_bos_heads_every_window(self):
        ids = [BOS] + self.IDS
        result = self.score_ids(ids, "--context", 16)
        found = [None]
        for begin in range(0, 40, 15):
            part = [BOS] + self.IDS[begin:begin + 15]
            found += self.found(self.score_ids(part))[1:]
        self.assertEqual(self.found(result), found)
        self.assertEqual((result["windows"], result["tokens_scored"]), (3, 40))

    def test_overlapping_windows_score_what_is_new(self):
        result = self.score_ids(self.IDS, "--context", 16, "--stride", 10)
        found = self.found(self.score_ids(self.IDS[:16]))
        for begin in (10, 20):
            found += self.found(self.score_ids(self.IDS[begin:begin + 16]))[6:]
        found += self.found(self.score_ids(self.IDS[30:]))[6:]
        self.assertEqual(self.found(result), found)
        self.assertEqual((result["windows"], result["tokens_scored"]), (4, 39))


@needs_compiler
class Printed(ScoreTest):
    def test_summary(self):
        result = self.score(TEXT)
        path = self.folder / "text.txt"
        path.write_text(TEXT)
        title, row = self.succeed("score", MODEL, path).stdout.splitlines()
        self.assertEqual(title.split("  ")[0], "tokens scored")
        scored, mean, perplexity, rate = row.split()
        self.assertEqual(int(scored), 20)
        self.assertAlmostEqual(
            float(mean), result["mean_negative_log_likelihood"], delta=1e-6)
        self.assertAlmostEqual(
            float(perplexity), result["perplexity"], delta=1e-4)
        self.assertGreater(float(rate), 0)

    def test_every_token(self):
        result = self.score(TEXT)
        lines = self.succeed("score", MODEL, "-", "--per-token",
                             input=TEXT).stdout.splitlines()
        self.assertEqual(lines[0].split(),
                         ["position", "id", "log-probability", "piece"])
        self.assertEqual(lines[1].split(), ["0", "2", "-", "<bos>"])
        for token, line in zip(result["tokens"][1:], lines[2:]):
            position, ident, found, piece = line.split()
            self.assertEqual((int(position), int(ident), piece),
                             (token["position"], token["id"], token["piece"]))
            self.assertAlmostEqual(float(found), token["log_probability"],
                                   delta=1e-6)
        self.assertEqual(lines[22], "")

    def test_a_text_is_taken_as_it_stands(self):
        self.assertEqual(len(self.score(TEXT + "\n")["tokens"]), 22)


@needs_compiler
class Refused(ScoreTest):
    def refuse(self, text, *options, says, model=MODEL):
        self.fail("score", model, "-", *options, input=text, says=says)

    def test_files(self):
        self.fail("score", MODEL, self.folder / "none.txt", says=["none.txt"])
        self.fail("score", MODEL, self.folder, says=[self.folder.name])
        empty = self.folder / "empty.txt"
        empty.write_text("")
        self.fail("score", MODEL, empty, says=["empty.txt", "an empty one"])
        binary = self.folder / "binary.txt"
        binary.write_bytes(b"ab\xff")
        self.fail("score", MODEL, binary,
                  says=["binary.txt", "UTF-8", "offset 2"])

    def test_too_few_tokens(self):
        self.refuse("7", "--tokens", says=["at least 2 tokens", "got 1"])
        self.refuse(" \n", "--tokens", says=["stdin", "got none"])

    def test_ids(self):
        self.refuse("1 2 x3", "--tokens", says=["'x3'", "position 2"])
        self.refuse("1 2.5", "--tokens", says=["'2.5'"])
        self.refuse("1 99999999999", "--tokens", says=["'99999999999'"])
        self.refuse("5 6 128", "--tokens", says=["127", "128", "position 2"])
        self.refuse("5 -1", "--tokens", says=["got -1"])

    def test_windows(self):
        self.refuse(TEXT, "--context", 1, says=["2 to", "got 1"])
        self.refuse(TEXT, "--context", 100000, says=["100000"])
        self.refuse(TEXT, "--context", 16, "--stride", 17,
                    says=["0 to 16", "17"])
        self.refuse(TEXT, "--stride", -1, says=["--stride"])

    def test_a_model_without_a_tokenizer(self):
        self.refuse(TEXT, says=["--tokens"], model=QWEN / "model.gguf")
        result = self.tenon("score", QWEN / "model.gguf", "-", "--tokens",
                            input="5 6 7")
        self.assertEqual(result.returncode, 0)
        self.assertIn("no tokenizer", result.stderr)

    def test_json_and_a_table(self):
        self.refuse(TEXT, "--json", "--per-token", says=["--json"])


@needs_compiler
class Interrupted(ScoreTest):
    def test_scoring_stops(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        ids = self.folder / "long.txt"
        ids.write_text("5 " * 1000000)
        process = subprocess.Popen(
            [str(TENON), "score", str(program), str(ids), "--tokens",
             "--chunk", "1"], env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (130, ""), err)
        self.assertIn("cancelled", err)


if __name__ == "__main__":
    unittest.main()
