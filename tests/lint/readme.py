"""The README's program is examples/my_model/model.cpp; links lead somewhere."""

import re
import sys

import source

EXAMPLE = "examples/my_model/model.cpp"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages():
    yield source.ROOT / "README.md"
    for folder in (*source.folders(), source.ROOT / "docs"):
        yield from folder.rglob("*.md")


def main():
    errors = []
    readme = (source.ROOT / "README.md").read_text()
    blocks = re.findall(r"^```cpp\n(.*?)^```$", readme, re.S | re.M)
    if source.read(EXAMPLE) not in blocks:
        errors.append(f"README.md: expects a cpp block equal to {EXAMPLE}")
    for page in pages():
        for link in LINK.findall(page.read_text()):
            if "://" not in link and not (page.parent / link).exists():
                errors.append(f"{page.relative_to(source.ROOT)}: expects a "
                              f"file at the link '{link}', got none")
    for error in errors:
        print(error)
    sys.exit(1 if errors else 0)


main()
