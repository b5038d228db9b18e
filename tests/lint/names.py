"""Names and habits that the style leaves out."""

import re

import source

VAGUE = ("util", "utils", "misc", "common", "helper", "helpers", "stuff")
# (rule, files, pattern, what is expected); patterns see no comments.
CODE = (
    ("using-std", (".cpp", ".h"), r"\busing namespace std\b",
     "no 'using namespace std'"),
    ("cl-opt", (".cpp", ".h"), r"\bcl::opt\b", "cl::opt in tools/ alone"),
    ("throw", (".cpp", ".h"), r"\bthrow\b", "no exceptions"),
    ("else-after-return", (".cpp", ".h", ".c"),
     r"^( *)(?:\} )?(?:else )?if\b(?! constexpr)[^;{}]*\{?\n(?:\1  [^\n]*\n)*?"
     r"\1  return\b[^;]*;\n\1(?:\} )?else\b",
     "no else after return"),
)
# And these see the text as it stands.
TEXT = (
    ("todo", r"\b(?:TODO(?!\(#\d+\))|FIXME|XXX|HACK)\b",
     "TODO(#number) and no other marker"),
    ("tab", r"\t", "spaces, no tabs"),
    ("trailing-space", r"[ \t]+$", "no space at the end of a line"),
    ("machine-path", r"(?<![\w.])/(?:home|root|Users)/\w", "no machine's path"),
)
OPENING = ("//===-", "///", "// ", "/*")


def line_of(text, match):
    return text.count("\n", 0, match.start()) + 1


def check_name(path, found):
    words = [part.lower() for part in (*path.parts[:-1], path.stem)]
    if any(word in VAGUE for word in words):
        found[f"{path} vague"] = (1, f"{path}: expects a name that says what "
                                  "it holds")
    if path.suffix in (".cpp", ".h") and path.stem != "main" and \
            path.parts[0] not in ("examples",) and \
            path.parts[:2] != ("runtime", "include") and \
            not re.fullmatch(r"[A-Z][A-Za-z0-9]*", path.stem):
        found[f"{path} case"] = (1, f"{path}: expects PascalCase")


def check_text(path, found):
    text = source.read(path)
    patterns = [(rule, pattern, expected, text)
                for rule, pattern, expected in TEXT]
    if path.suffix in source.CPP:
        plain = source.code(path)
        patterns += [(rule, pattern, expected, plain)
                     for rule, suffixes, pattern, expected in CODE
                     if path.suffix in suffixes]
        if not text.startswith(OPENING):
            found[f"{path} opening"] = (
                1, f"{path}:1: expects a comment that says what it is for")
    for rule, pattern, expected, where in patterns:
        if rule == "cl-opt" and path.parts[0] == "tools":
            continue
        matches = list(re.finditer(pattern, where, re.M))
        if matches:
            line = line_of(where, matches[0])
            found[f"{path} {rule}"] = (
                len(matches), f"{path}:{line}: expects {expected}")


def main():
    found = {}
    for path in source.files(*source.CPP, ".td", ".py", ".mlir", ".cmake",
                             ".txt", ""):
        if path.parts[:2] == ("tests", "lint"):
            continue
        check_name(path, found)
        check_text(path, found)
    source.judge("names", found)


main()
