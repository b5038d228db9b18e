"""What the tests of the tenon command share.

TENON names the program; the compiler is looked for beside it, as it does
itself. By hand, from this folder:

    TENON=../../build/dev/bin/tenon python3 -m unittest -v
"""

import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

TENON = Path(os.environ.get("TENON", "tenon"))
SOURCE = Path(__file__).resolve().parents[2]
GOLDEN = SOURCE / "tests/models/golden"
QWEN = GOLDEN / "tiny_qwen2"
LLAMA = GOLDEN / "tiny_llama"
GEMMA = GOLDEN / "tiny_gemma3"
DEEPSEEK = GOLDEN / "tiny_deepseek3"
HAS_COMPILER = (TENON.parent.parent / "lib/libtenon_compiler.so").exists()
# The vocabulary of tiny_qwen2 lacks most bytes, so that Tenon refuses it as a
# tokenizer: tests of text take Gemma.
MODEL = GEMMA / "model.gguf"
PROMPT = "The end."

needs_compiler = unittest.skipUnless(
    HAS_COMPILER, "libtenon_compiler.so is not built beside tenon")


class ToolTest(unittest.TestCase):
    """A folder of its own, and a cache in it."""

    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="tenon-tools-")
        cls.folder = Path(cls.holder.name)
        cls.cache = cls.folder / "cache"
        cls.env = dict(os.environ, TENON_CACHE=str(cls.cache), TERM="dumb")

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    @classmethod
    def tenon(cls, *arguments, program=TENON, **options):
        options.setdefault("env", cls.env)
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            options.pop("stdin")
        return subprocess.run([str(program), *map(str, arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=600, **options)

    @classmethod
    def compiled(cls, name, model, *options):
        """Compiles `model` once per class."""
        path = cls.folder / name
        if not path.exists():
            result = cls.tenon("compile", model, "-o", path, *options)
            if result.returncode != 0:
                raise AssertionError(result.stderr)
        return path

    def succeed(self, *arguments, **options):
        result = self.tenon(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def greedy(self, model, *options, tokens=12, **keywords):
        """The text that follows the usual prompt."""
        return self.succeed("run", model, "-p", PROMPT, "--greedy", "-n",
                            tokens, *options, **keywords).stdout

    def fail(self, *arguments, code=2, says=(), **options):
        """Expects one line of error that has every part of `says`."""
        result = self.tenon(*arguments, **options)
        self.assertEqual(result.returncode, code,
                         result.stdout + result.stderr)
        errors = [line for line in result.stderr.splitlines()
                  if line.startswith("tenon: error: ")]
        self.assertEqual(len(errors), 1, result.stderr)
        self.assertEqual(result.stderr.splitlines()[-1], errors[0])
        for part in says:
            self.assertIn(part, errors[0])
        return errors[0]

    def changed(self, path, name, change):
        """A copy of `path` whose bytes went through `change`."""
        data = bytearray(Path(path).read_bytes())
        copy = self.folder / name
        copy.write_bytes(change(data) or data)
        return copy

    def folder_names(self):
        return sorted(path.name for path in self.folder.iterdir())


def sections(path):
    """(kind, tag, offset, size) of each section of a .tenon file."""
    data = Path(path).read_bytes()
    count = struct.unpack_from("<I", data, 16)[0]
    return [struct.unpack_from("<IIQQ", data, 24 + 40 * i)
            for i in range(count)]


def byte_tokenizer():
    """tokenizer.json of bytes alone: printable ASCII and the space first, for
    the tiny vocabularies have 96 tokens."""
    spelled = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in spelled]
    pieces = {byte: chr(byte) for byte in spelled}
    pieces.update({byte: chr(256 + i) for i, byte in enumerate(others)})
    order = [*range(33, 127), 32]
    order += [byte for byte in range(256) if byte not in order]
    return {
        "model": {"type": "BPE", "merges": [],
                  "vocab": {pieces[byte]: i for i, byte in enumerate(order)}},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False,
                          "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "added_tokens": [],
    }


def copy_model(folder, to):
    """Copies a tiny model's safetensors, so that a test may add files."""
    to.mkdir()
    for name in ("model.safetensors", "config.json"):
        shutil.copy(folder / name, to / name)
    return to
