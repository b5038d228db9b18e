"""C and C++ are as the pinned clang-format writes them; skips without it."""

import shutil
import subprocess
import sys

import source

FORMATTER = "clang-format-22"


def main():
    if not shutil.which(FORMATTER):
        print(f"{FORMATTER} is not installed")
        sys.exit(77)
    paths = [str(path) for path in source.files(*source.CPP)]
    checked = subprocess.run([FORMATTER, "--dry-run", "-Werror", *paths],
                             cwd=source.ROOT, stderr=subprocess.PIPE,
                             text=True, check=False)
    bad = sorted({line.split(":")[0] for line in checked.stderr.splitlines()
                  if "-Wclang-format-violations" in line})
    for path in bad:
        print(f"{path}: expects the form that {FORMATTER} -i gives it")
    sys.exit(1 if bad or checked.returncode else 0)


main()
