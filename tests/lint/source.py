"""What the lint tests share: the tree's files, and the exceptions allowed.

allowed.txt lists what broke a rule when the rule came. It may only shrink: an
entry that is no longer needed, or that allows more than is there, fails too.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = ROOT / "tests/lint/allowed.txt"
NO_SOURCE = ("build", "docs", "out")
CPP = (".cpp", ".h", ".c")


def folders():
    """All that may hold source: a new one needs no line here."""
    return [path for path in ROOT.iterdir()
            if path.is_dir() and path.name[0] != "."
            and path.name not in NO_SOURCE]


def files(*suffixes):
    """Files of those suffixes, as paths from the root."""
    found = [ROOT / name for name in ("quickstart", "test", "CMakeLists.txt")]
    for folder in folders():
        found += folder.rglob("*")
    return sorted(path.relative_to(ROOT) for path in found
                  if path.is_file() and path.suffix in suffixes
                  and "__pycache__" not in path.parts)


def read(path):
    return (ROOT / path).read_text()


def blank(match):
    """As many lines as were there, so that line numbers stay."""
    return " " + "\n" * match.group(0).count("\n")


TOKENS = re.compile(r'R"(\w*)\((?:.|\n)*?\)\1"|//[^\n]*|/\*(?:.|\n)*?\*/'
                    r'|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'')


def code(path):
    """C++ without comments and with literals emptied."""
    def plain(match):
        text = match.group(0)
        return '""' + blank(match)[1:] if text[0] in "R\"'" else blank(match)
    return TOKENS.sub(plain, read(path))


def judge(test, found):
    """Ends the test: `found` maps what broke a rule to (size, explanation).

    The size is what allowed.txt limits, 1 for rules without one.
    """
    allowed = {}
    for line in ALLOWED.read_text().splitlines():
        if line.startswith(test + " "):
            key, size = line[len(test) + 1:].rsplit(" ", 1)
            allowed[key] = int(size)
    errors = []
    for key, (size, text) in sorted(found.items()):
        limit = allowed.pop(key, None)
        if limit is None or size > limit:
            errors.append(text)
        elif size < limit:
            errors.append(f"tests/lint/allowed.txt: '{test} {key}' allows "
                          f"{limit}, lower it to {size}")
    errors += [f"tests/lint/allowed.txt: '{test} {key}' is no longer needed, "
               "delete it" for key in allowed]
    if "--list" in sys.argv:  # As lines of allowed.txt, to begin a new rule.
        print("\n".join(f"{test} {key} {size}"
                        for key, (size, _) in sorted(found.items())))
        sys.exit(0)
    for error in errors:
        print(error)
    sys.exit(1 if errors else 0)
