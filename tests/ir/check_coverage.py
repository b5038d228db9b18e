"""Fails when an op of the dialect lacks a part of its test.

Usage: check_coverage.py OP_DOCS TESTS

OP_DOCS is what mlir-tblgen writes of the ops. The file TESTS/<op>.mlir must
- round-trip the op: run it by %test_op, and CHECK what is printed;
- evaluate it in both arithmetics;
- break it: a function @<op>_c1, @<op>_c2, ... for each constraint (C1), (C2),
  ... of the op's section; and at least one case with a diagnostic where the
  section numbers none.
"""

import pathlib
import re
import sys


# These have no value: what they declare has one where it is read.
DECLARATIONS = ("parameter", "state")


def parts(op: str, cases: str, docs: str):
    """What each part of a test lacks."""
    if not re.search(r"RUN: %test_op \| FileCheck", cases):
        yield "a RUN line with %test_op and FileCheck, a round trip"
    elif not re.search(rf"CHECK.*\btn\.{op}\b", cases):
        yield f"a CHECK of tn.{op} as it is printed"
    for arithmetic in ("contract", "real"):
        if op not in DECLARATIONS and not re.search(
                rf"CHECK(-\w+)?: @\w+ {arithmetic}: ", cases):
            yield f"a CHECK of what it evaluates to over {arithmetic}"
    if "expected-error" not in cases:
        yield "a case with a diagnostic"
    for number in sorted(set(re.findall(r"\(C(\d+)\)", docs)), key=int):
        if not re.search(rf"@{op}_c{number}(_[a-z]\w*)?\b", cases):
            yield f"@{op}_c{number}, which breaks (C{number})"


def problems(docs: str, tests: pathlib.Path):
    sections = re.split(r"^### `tn\.(\w+)`", docs, flags=re.MULTILINE)
    for op, text in zip(sections[1::2], sections[2::2]):
        file = tests / f"{op}.mlir"
        if not file.exists():
            yield f"tn.{op} has no test: expects {file.name}"
            continue
        for part in parts(op, file.read_text(), text):
            yield f"{file.name}: expects {part}"


def main() -> int:
    docs = pathlib.Path(sys.argv[1]).read_text()
    assert "### `tn.add`" in docs, "the op docs are not what they were"
    found = list(problems(docs, pathlib.Path(sys.argv[2])))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
