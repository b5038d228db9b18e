"""Files of at most 500 lines; functions of at most 60 lines and 6 parameters,
whose control flow nests at most 3 deep. C++ is read by its braces and, for
nesting, by its indentation, which clang-format keeps.
"""

import ast
import re

import source

FILE_LINES, FUNCTION_LINES, NESTING, PARAMETERS = 500, 60, 3, 6
CONTROL = re.compile(r"^( *)(?:\} )?(if|for|while|switch|do|else)\b")
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
NOT_A_NAME = ("if", "for", "while", "switch", "return", "catch")


def functions(text):
    """(name, head, first line, last line) of each function with a body."""
    stack, head, at_line, head_line = [], "", 1, 1
    for char in text:
        if char == "{":
            kind = opened(head) if all(k == "scope" for k, *_ in stack) else ""
            stack.append((kind, head, head_line))
            if kind in ("scope", "function"):
                head = ""
        elif char == "}":
            kind, before, line = stack.pop() if stack else ("", "", 1)
            head = before + "{}" if kind == "value" else ""
            if kind == "function":
                yield name_of(before), before, line, at_line
        elif char == ";" and (not stack or stack[-1][0] == "scope"):
            head = ""
        elif not stack or stack[-1][0] == "scope":
            if not head.strip():
                head, head_line = "", at_line
            head += char
        if char == "\n":
            at_line += 1


def opened(head):
    """What a brace after `head` opens outside of functions."""
    head = re.sub(r"\b(public|private|protected):", "", head)
    head = re.sub(r"^\s*#.*$", "", head, flags=re.M).strip()
    if head.count("(") != head.count(")"):
        return "value"  # An argument of a macro.
    if re.search(r"\)[\w\s]*:(?!:)(.|\n)*[\w>]$", head):
        return "value"  # A member in a constructor's initialiser list.
    last = head[head.rfind("\n") + 1:]  # A macro's line may come before.
    if SCOPE.search(last) and "(" not in last:
        return "scope"
    if "(" in head and not head.endswith("="):
        return "function"
    return "scope" if SCOPE.search(head) else "value"


def signature(head):
    head = re.sub(r"^\s*#.*$", "", head, flags=re.M)
    head = re.sub(r"\b(public|private|protected):", "", head)
    head = re.sub(r"\btemplate\s*<[^()]*?>\s*(?=[\w\[:~])", "", head)
    return head.replace("operator()", "operatorCall").strip()


def name_of(head):
    found = re.search(r"([\w:~]+|operator\S+)\s*\(", signature(head))
    name = found.group(1) if found else "?"
    if name.isupper() or name.startswith("TEST"):  # A macro's arguments.
        inner = re.search(r"\(([^)]*)\)", signature(head)).group(1)
        return re.sub(r"\s*,\s*", ".", inner.strip())
    return name


def parameters(head):
    text = signature(head)
    depth, count, started = 0, 0, False
    for char in text[text.find("(") + 1:]:
        if char in "(<{[":
            depth += 1
        elif char in ")>}]":
            if char == ")" and depth == 0:
                break
            depth = max(0, depth - 1)
        elif char == "," and depth == 0:
            count += 1
        started = started or not char.isspace()
    return count + 1 if started else 0


def nesting(lines):
    """The most control statements around one line."""
    deepest, indents = 0, []
    for line in lines:
        if not line.strip() or line.lstrip().startswith(("#", "}")):
            control = CONTROL.match(line)
            if not control:
                continue
        indent = len(line) - len(line.lstrip())
        while indents and indents[-1] >= indent:
            indents.pop()
        if CONTROL.match(line):
            indents.append(indent)
            deepest = max(deepest, len(indents))
    return deepest


def check_cpp(path, found):
    text = source.code(path)
    lines = text.splitlines()
    for name, head, first, last in functions(text):
        if name in NOT_A_NAME:
            continue
        measures = (("lines", last - first + 1, FUNCTION_LINES),
                    ("nesting", nesting(lines[first:last - 1]), NESTING),
                    ("parameters", parameters(head), PARAMETERS))
        for what, size, limit in measures:
            if size > limit:
                found[f"{path}:{name} {what}"] = (
                    size, f"{path}:{first}: expects at most {limit} {what} "
                    f"in a function, got {size} in {name}")


def check_python(path, found):
    for node in ast.walk(ast.parse(source.read(path))):
        if isinstance(node, ast.FunctionDef):
            size = node.end_lineno - node.lineno + 1
            if size > FUNCTION_LINES:
                found[f"{path}:{node.name} lines"] = (
                    size, f"{path}:{node.lineno}: expects at most "
                    f"{FUNCTION_LINES} lines in a function, got {size} in "
                    f"{node.name}")


def main():
    found = {}
    for path in source.files(*source.CPP, ".td", ".py", ".mlir", ".cmake", ""):
        count = len(source.read(path).splitlines())
        if count > FILE_LINES:
            found[f"{path} lines"] = (
                count, f"{path}: expects at most {FILE_LINES} lines, got "
                f"{count}")
        if path.suffix in source.CPP:
            check_cpp(path, found)
        elif path.suffix == ".py":
            check_python(path, found)
    source.judge("sizes", found)


main()
