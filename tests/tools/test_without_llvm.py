"""Compiled programs where LLVM is not installed.

Each run happens in a mount namespace in which LLVM's and MLIR's libraries are
hidden, and the compiler's too: what needs them cannot start.
"""

import os
import shutil
import subprocess
import unittest

from support import HAS_COMPILER, MODEL, PROMPT, TENON, ToolTest, needs_compiler

EMBED_C = TENON.parent / "embed_c"
COMPILER = TENON.parent.parent / "lib/libtenon_compiler.so"
HIDE = """
for folder in /usr/lib/llvm-*; do
  if [ -d "$folder" ]; then mount -t tmpfs none "$folder" || exit 99; fi
done
for file in /usr/lib/*/libLLVM*.so* /usr/lib/*/libMLIR*.so* "$COMPILER"; do
  if [ -f "$file" ] && [ ! -L "$file" ]; then
    mount --bind /dev/null "$file" || exit 99
  fi
done
exec "$@"
"""


def hidden(*command, env):
    env = dict(env, COMPILER=str(COMPILER))
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", HIDE, "sh", *map(str, command)],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=600)


def can_hide():
    if not shutil.which("unshare"):
        return False
    return hidden("true", env=os.environ).returncode == 0


@needs_compiler
@unittest.skipUnless(HAS_COMPILER and can_hide(),
                     "may not mount over LLVM's libraries (needs root)")
class WithoutLlvm(ToolTest):
    def run_hidden(self, *command):
        result = hidden(*command, env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_compiling_cannot_happen_there(self):
        result = hidden(TENON, "run", MODEL, "-p", PROMPT, "--no-cache",
                        env=self.env)
        self.assertNotEqual(result.returncode, 0)

    def check(self, program):
        expected = self.greedy(MODEL)
        self.assertEqual(
            self.run_hidden(TENON, "run", program, "-p", PROMPT, "--greedy",
                            "-n", 12), expected)
        self.assertRegex(self.run_hidden(EMBED_C, program, PROMPT),
                         r"\d+ tokens")

    def test_program_beside_its_weights(self):
        self.check(self.compiled("plain.tenon", MODEL))

    def test_embedded_program_without_its_weights(self):
        moved = self.folder / "moved.gguf"
        shutil.copy(MODEL, moved)
        program = self.compiled("embedded.tenon", moved, "--embed")
        moved.unlink()
        self.check(program)


if __name__ == "__main__":
    unittest.main()
