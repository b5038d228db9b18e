"""Fails when an op of the dialect has no test, or a constraint no failing case.

Usage: check_coverage.py OP_DOCS TESTS

OP_DOCS is what mlir-tblgen writes of the ops: each op's section numbers its
constraints, (C1), (C2), ... The file TESTS/<op>.mlir must hold a function
@<op>_c1, @<op>_c2, ... for each.
"""

import pathlib
import re
import sys


def problems(docs: str, tests: pathlib.Path):
    sections = re.split(r"^### `tn\.(\w+)`", docs, flags=re.MULTILINE)
    for op, text in zip(sections[1::2], sections[2::2]):
        file = tests / f"{op}.mlir"
        if not file.exists():
            yield f"tn.{op} has no test: expects {file.name}"
            continue
        cases = file.read_text()
        for number in sorted(set(re.findall(r"\(C(\d+)\)", text)), key=int):
            if not re.search(rf"@{op}_c{number}(_[a-z]\w*)?\b", cases):
                yield f"{file.name}: expects @{op}_c{number}, which breaks (C{number})"


def main() -> int:
    docs = pathlib.Path(sys.argv[1]).read_text()
    assert "### `tn.add`" in docs, "the op docs are not what they were"
    found = list(problems(docs, pathlib.Path(sys.argv[2])))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
