"""Fails when an op of a dialect lacks a part of its test.

Usage: check_coverage.py OP_DOCS TESTS

OP_DOCS is what mlir-tblgen writes of the ops. TESTS is the dialect's folder, of
its name. The file TESTS/<op>.mlir must
- round-trip the op: run it by %test_op (in tn) or %test_<dialect>, and CHECK
  what is printed;
- evaluate it in both arithmetics, in tn;
- break it: a symbol @<op>_c1, @<op>_c2, ... for each constraint (C1), (C2),
  ... of the op's section; and at least one case with a diagnostic where the
  section numbers none.
"""

import pathlib
import re
import sys


# These have no value: what they declare has one where it is read.
DECLARATIONS = ("parameter", "state")


def parts(dialect: str, op: str, cases: str, docs: str):
    """What each part of a test lacks."""
    run = "%test_op" if dialect == "tn" else f"%test_{dialect}"
    if not re.search(rf"RUN: {run} \| FileCheck", cases):
        yield f"a RUN line with {run} and FileCheck, a round trip"
    elif not re.search(rf"CHECK.*\b{dialect}\.{op}\b", cases):
        yield f"a CHECK of {dialect}.{op} as it is printed"
    for arithmetic in ("contract", "real") if dialect == "tn" else ():
        if op not in DECLARATIONS and not re.search(
                rf"CHECK(-\w+)?: @\w+ {arithmetic}: ", cases):
            yield f"a CHECK of what it evaluates to over {arithmetic}"
    if "expected-error" not in cases:
        yield "a case with a diagnostic"
    for number in sorted(set(re.findall(r"\(C(\d+)\)", docs)), key=int):
        if not re.search(rf"@{op}_c{number}(_[a-z]\w*)?\b", cases):
            yield f"@{op}_c{number}, which breaks (C{number})"


def problems(docs: str, tests: pathlib.Path):
    dialect = tests.name
    sections = re.split(rf"^### `{dialect}\.(\w+)`", docs, flags=re.MULTILINE)
    assert len(sections) > 1, "the op docs are not what they were"
    for op, text in zip(sections[1::2], sections[2::2]):
        file = tests / f"{op}.mlir"
        if not file.exists():
            yield f"{dialect}.{op} has no test: expects {file.name}"
            continue
        for part in parts(dialect, op, file.read_text(), text):
            yield f"{file.name}: expects {part}"


def main() -> int:
    docs = pathlib.Path(sys.argv[1]).read_text()
    found = list(problems(docs, pathlib.Path(sys.argv[2])))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
