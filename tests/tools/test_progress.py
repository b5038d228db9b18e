"""The line that shows progress, where stderr is a terminal."""

import os
import pty
import re
import subprocess
import unittest

from support import MODEL, PROMPT, TENON, ToolTest, needs_compiler


@needs_compiler
class Progress(ToolTest):
    def drawn(self, *arguments, terminal="xterm"):
        """What the command writes to a terminal that is its stderr."""
        ours, theirs = pty.openpty()
        env = dict(self.env, TERM=terminal)
        with subprocess.Popen([str(TENON), *map(str, arguments)], env=env,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=theirs) as process:
            os.close(theirs)
            text = b""
            while True:
                try:
                    part = os.read(ours, 1 << 12)
                except OSError:  # no other end any more
                    break
                if not part:
                    break
                text += part
        os.close(ours)
        self.assertEqual(process.returncode, 0, text)
        return text.decode()

    def bar(self, stage):
        return rf"\r\x1b\[K{stage} +\[[# ]+\] (\d+)/(\d+)"

    def counts(self, stage, text):
        found = re.findall(self.bar(stage), text)
        self.assertTrue(found, repr(text))
        return [(int(done), int(total)) for done, total in found]

    def test_compiling_and_loading_count_to_their_ends(self):
        text = self.drawn("run", MODEL, "-p", PROMPT, "-n", 2, "--no-cache")
        for stage in ("passes", "kernels", "packing"):
            counts = self.counts(stage, text)
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(len({total for _, total in counts}), 1)
            self.assertEqual(counts[-1][0], counts[-1][1])
        # The line is gone in the end.
        self.assertTrue(text.endswith("\r\x1b[K"), repr(text[-80:]))

    def test_embedding_shows_the_packing(self):
        output = self.folder / "embedded.tenon"
        text = self.drawn("compile", MODEL, "-o", output, "--cpu", "v3",
                          "--embed", "--force")
        self.counts("packing", text)

    def test_terminals_that_cannot_redraw_see_none(self):
        text = self.drawn("run", MODEL, "-p", PROMPT, "-n", 2, "--no-cache",
                          terminal="dumb")
        self.assertNotIn("\r\x1b", text)


if __name__ == "__main__":
    unittest.main()
