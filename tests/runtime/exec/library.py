#!/usr/bin/env python3
"""Checks what libtenon_runtime.so weighs, needs and shows.

usage: library.py libtenon_runtime.so STRIP
"""
import os
import re
import subprocess
import sys
import tempfile

MAX_BYTES = 1 << 20
ALLOWED = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1",
           "libutf8proc.so.2", "libutf8proc.so.3", "ld-linux-x86-64.so.2"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout


def main():
    library, strip = sys.argv[1:3]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        stripped = os.path.join(folder, "stripped.so")
        subprocess.run([strip, "-o", stripped, library], check=True)
        size = os.path.getsize(stripped)
    if size > MAX_BYTES:
        failures.append(f"expects at most {MAX_BYTES} bytes, got {size}")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]",
                            output("readelf", "-d", library)))
    if needed - ALLOWED:
        failures.append(f"expects only {sorted(ALLOWED)}, needs "
                        f"{sorted(needed - ALLOWED)}")
    names = [line.split()[-1] for line in
             output("nm", "-D", "--defined-only", library).splitlines()]
    others = [name for name in names if not name.startswith("tenon_")]
    if others:
        failures.append(f"expects tenon_* alone, exports {others[:5]}")
    if not names:
        failures.append("expects the C API, exports nothing")
    print(f"{size} bytes, {len(names)} functions, needs {sorted(needed)}")
    for failure in failures:
        print("error:", failure)
    return 1 if failures else 0


sys.exit(main())
