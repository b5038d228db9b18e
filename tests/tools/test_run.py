"""What run refuses, keeps in its cache, measures, and how it stops."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support import (MODEL, PROMPT, QWEN, TENON, ToolTest, needs_compiler,
                     sections)


@needs_compiler
class Refused(ToolTest):
    def setUp(self):
        self.program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")

    def flipped(self, kind):
        """A copy with one bit of the first such section changed."""
        def change(data):
            _, _, offset, size = next(
                row for row in sections(self.program) if row[0] == kind)
            data[offset + size // 2] ^= 1
        return self.changed(self.program, f"flipped-{kind}.tenon", change)

    def test_damaged_program_and_code(self):
        for kind in (1, 2):
            path = self.flipped(kind)
            self.fail("run", path, "-p", PROMPT,
                      says=[path.name, "tenon compile"])
            self.fail("inspect", path, says=[path.name])

    def test_cut_short(self):
        size = self.program.stat().st_size
        path = self.changed(self.program, "cut.tenon",
                            lambda data: data[:size // 2])
        self.fail("run", path, "-p", PROMPT, says=["cut.tenon"])

    def test_other_version(self):
        def change(data):
            data[8] = 9
        path = self.changed(self.program, "newer.tenon", change)
        for command in ("run", "inspect"):
            self.fail(command, path, says=["newer.tenon", "version", "9"])

    def test_not_a_program(self):
        path = self.folder / "text.tenon"
        path.write_text("not a program")
        self.fail("run", path, "-p", PROMPT, says=["text.tenon"])

    def test_other_weights(self):
        self.fail("run", self.program, "-p", PROMPT, "--weights",
                  QWEN / "model.gguf", says=["compiled for", "hash"])

    def test_missing_weights(self):
        (self.folder / "elsewhere").mkdir(exist_ok=True)
        path = self.folder / "elsewhere/m.tenon"
        shutil.copy(self.program, path)
        self.fail("run", path, "-p", PROMPT, says=["--weights"])
        self.succeed("run", path, "-p", PROMPT, "-n", 1, "--weights", MODEL)

    def test_weights_for_weights(self):
        self.fail("run", MODEL, "-p", PROMPT, "--weights", MODEL,
                  says=["--weights"])

    def test_prompt_longer_than_the_context(self):
        self.fail("run", self.program, "-p", PROMPT * 40, "--context", 64,
                  says=["64 tokens", "--context"])

    def test_context_beyond_the_models(self):
        self.fail("run", self.program, "-p", PROMPT, "--context", 100000,
                  says=["100000"])

    def test_prompt_that_is_not_utf8(self):
        self.fail("run", self.program, "-p", os.fsdecode(b"\xff"),
                  says=["UTF-8"])

    def test_missing_prompt_file(self):
        self.fail("run", self.program, "--prompt-file", "none.txt",
                  says=["none.txt"])


@needs_compiler
class Chat(ToolTest):
    def test_turn_tokens_serve_where_the_file_has_no_template(self):
        text = ("run", MODEL, "-p", PROMPT, "--greedy", "-n", 12)
        chat = self.succeed(*text, "--chat", "--system", "Be short.").stdout
        self.assertNotEqual(chat, "")
        self.assertNotEqual(chat, self.succeed(*text).stdout)


@needs_compiler
class Cache(ToolTest):
    def programs(self):
        return sorted((self.cache / "programs").glob("*.tenon"))

    def setUp(self):
        self.expected = self.greedy(MODEL)

    def stats(self, *options):
        return self.succeed("run", MODEL, "-p", PROMPT, "--greedy", "-n", 12,
                            "--stats", *options)

    def test_second_run_is_not_compiled(self):
        result = self.stats()
        self.assertIn("found in the cache", result.stderr)
        self.assertEqual(result.stdout, self.expected)

    def loaded(self, *arguments):
        """The shared objects that a run loads, as the loader tells."""
        log = self.folder / "loader"
        env = dict(self.env, LD_DEBUG="files", LD_DEBUG_OUTPUT=str(log))
        self.greedy(*arguments, env=env)
        text = ""
        for path in self.folder.glob("loader.*"):
            text += path.read_text(errors="replace")
            path.unlink()
        return text

    def test_hit_and_program_never_load_llvm(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        for arguments in ([MODEL], [program]):
            self.assertNotRegex(self.loaded(*arguments),
                                "libLLVM|libMLIR|libtenon_compiler")
        # The loader would tell: compiling loads them.
        self.assertRegex(self.loaded(MODEL, "--no-cache"), "libLLVM")

    def test_damaged_entry_is_compiled_again(self):
        path, = self.programs()
        for change in ("flip", "cut"):
            data = bytearray(path.read_bytes())
            if change == "flip":
                data[sections(path)[1][2] + 100] ^= 1
            else:
                del data[len(data) // 2:]
            path.write_bytes(data)
            result = self.stats()
            self.assertIn("compiling again", result.stderr)
            self.assertIn("compiled now", result.stderr)
            self.assertEqual(result.stdout, self.expected)
            self.assertIn("found in the cache", self.stats().stderr)

    def test_options_have_their_own_entries(self):
        before = len(self.programs())
        for cache in ("f16", "bf16", "q8_0"):
            self.greedy(MODEL, "--cache-type", cache)
        self.greedy(MODEL, "--activations", "q8")
        self.assertEqual(len(self.programs()), before + 4)
        for path in self.programs():
            if path != self.programs()[0]:
                path.unlink()

    def test_no_cache_keeps_nothing(self):
        before = self.folder_names(), self.programs()
        env = dict(self.env, TMPDIR=str(self.folder))
        self.greedy(MODEL, "--no-cache", env=env)
        self.assertEqual((self.folder_names(), self.programs()), before)

    def test_folder_that_cannot_be_made(self):
        env = dict(self.env, TENON_CACHE="/dev/null/cache")
        self.fail("run", MODEL, "-p", PROMPT, env=env, code=1,
                  says=["/dev/null/cache", "--no-cache"])


@needs_compiler
class Measured(ToolTest):
    def test_stats(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        text = self.succeed("run", program, "-p", PROMPT, "-n", 8, "--greedy",
                            "--stats").stderr
        for row in ("prompt", "generation", "compile", "load", "prepare"):
            self.assertRegex(text, rf"(?m)^{row} .* s\b")
        self.assertRegex(text, r"prompt +6 tokens, [\d.]+ tokens/s")
        self.assertEqual(len(re.findall(r"(?m)^memory: .* [KMG]?i?B ", text)),
                         5)

    def test_trace(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        path = self.folder / "trace.json"
        self.succeed("run", program, "-p", PROMPT, "-n", 2, "--trace", path)
        self.assertTrue(json.loads(path.read_text()))


@needs_compiler
class Batches(ToolTest):
    PROMPTS = ["The end.", "The sky", "The end.", "The end. The", "x"]

    def test_answers_as_it_would_one_by_one(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        (self.folder / "some.txt").write_text(
            "\n".join(self.PROMPTS[:2]) + "\n\n" +
            "\n".join(self.PROMPTS[2:]) + "\n")
        (self.folder / "some.jsonl").write_text("\n".join(
            json.dumps({"prompt": prompt}) for prompt in self.PROMPTS))
        alone = [self.succeed("run", program, "--greedy", "-n", 9, "-p",
                              prompt).stdout for prompt in self.PROMPTS]
        for name in ("some.txt", "some.jsonl"):
            for sequences in (1, 2, 8):
                out = self.succeed("run", program, "--greedy", "-n", 9,
                                   "--batch", name, "--sequences", sequences,
                                   cwd=self.folder).stdout
                answers = [json.loads(line) for line in out.splitlines()]
                answers.sort(key=lambda answer: answer["index"])
                self.assertEqual([answer["prompt"] for answer in answers],
                                 self.PROMPTS)
                self.assertEqual([answer["text"] + "\n" for answer in answers],
                                 alone)
                self.assertTrue(all(answer["finish"] in ("stop", "length")
                                    for answer in answers))

    def test_each_prompt_has_a_seed_of_its_own(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        (self.folder / "same.txt").write_text("The end.\n" * 3)
        sampling = ["--temperature", 2, "--top-k", 0, "--top-p", 1, "--min-p",
                    0, "-n", 9]
        out = self.succeed("run", program, *sampling, "--batch", "same.txt",
                           "--sequences", 2, "--seed", 5,
                           cwd=self.folder).stdout
        answers = {json.loads(line)["index"]: json.loads(line)["text"]
                   for line in out.splitlines()}
        alone = [self.succeed("run", program, *sampling, "-p", "The end.",
                              "--seed", 5 + i).stdout for i in range(3)]
        self.assertEqual([answers[i] + "\n" for i in range(3)], alone)
        self.assertGreater(len(set(alone)), 1)

    def test_bad_batches(self):
        (self.folder / "empty.txt").write_text("\n \n")
        (self.folder / "bad.jsonl").write_text('{"prompt": "x"}\n{"text": 1}')
        (self.folder / "long.txt").write_text("x\n" + "x " * 300)
        for name, says in (("empty.txt", "a prompt at least"),
                           ("bad.jsonl", "bad.jsonl:2: expects an object"),
                           ("long.txt", "prompt 1: expects a prompt of at"),
                           ("none.txt", "none.txt")):
            self.fail("run", MODEL, "--context", 64, "--batch", name,
                      cwd=self.folder, says=[says], code=2)


@needs_compiler
class Interrupted(ToolTest):
    def interrupt(self, *arguments, after):
        process = subprocess.Popen(
            [str(TENON), *map(str, arguments)], env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        after(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def test_generation_stops(self):
        program = self.compiled("gemma.tenon", MODEL, "--cpu", "v3")
        code, _, err = self.interrupt(
            "run", program, "--temperature", 2, "--top-k", 0, "--top-p", 1,
            "--min-p", 0, "-p", PROMPT,
            after=lambda process: process.stdout.read(1))
        # A text may have ended before the signal came.
        self.assertIn(code, (0, 130))
        if code == 130:
            self.assertIn("cancelled", err)

    def test_a_crash_of_the_compiler_is_an_error(self):
        for number, says in ((signal.SIGSEGV, "got a crash: Segmentation"),
                             (signal.SIGKILL, "where memory runs out")):
            process = subprocess.Popen(
                [str(TENON), "compile", str(MODEL), "-o",
                 str(self.folder / "crashed.tenon")], env=self.env,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            compiler = []
            while not compiler and process.poll() is None:
                compiler = children.read_text().split()
            os.kill(int(compiler[0]), number)
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1)
            self.assertIn(says, err)
            self.assertFalse((self.folder / "crashed.tenon").exists())

    def test_compiling_leaves_no_file(self):
        for seconds in (0.05, 0.5, 1):
            output = self.folder / "interrupted.tenon"
            code, _, err = self.interrupt(
                "compile", MODEL, "-o", output, "--embed",
                after=lambda process, s=seconds: time.sleep(s))
            self.assertIn(code, (0, 130, -signal.SIGINT), err)
            if code == 0:
                output.unlink()
            self.assertEqual([name for name in self.folder_names()
                              if "interrupted" in name], [])


if __name__ == "__main__":
    unittest.main()
