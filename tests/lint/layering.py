"""Who may include whom. Two walls: the runtime never sees MLIR; the compiler
sees the runtime only through its ABI header and runtime/base.
"""

import re

import source

STANDARD_C = {"stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h"}
SYSTEM = {"cpuid.h", "dlfcn.h", "fcntl.h", "fnmatch.h",
          "immintrin.h", "pthread.h",
          "sched.h", "unistd.h", "xmmintrin.h"}
API = "tenon/"
ABI = "tenon/abi.h"
LLVM = ("mlir/", "llvm/")

# The longest folder that holds a file decides. An entry is a header or, with
# a slash at its end, a folder; a folder may always include itself.
MAY_INCLUDE = {
    "kernels/math": (),
    "runtime/include": (API,),
    "runtime/base": ("sys/", API, "xxhash.h"),
    "runtime/hal": ("sys/", API, "runtime/base/"),
    "runtime/io": ("sys/", API, "runtime/base/", "nlohmann/", "utf8proc.h",
                   "xxhash.h"),
    "runtime/exec": ("sys/", API, "runtime/"),
    "training": ("runtime/",),
    "ir": (*LLVM, ABI, "runtime/base/", "kernels/math/"),
    "passes": (*LLVM, "ir/"),
    "codegen": (*LLVM, "lld/", "absl/", ABI, "ir/", "passes/", "kernels/",
                "runtime/base/"),
    "frontend": ("frontend/",),
    "frontend/dsl": (*LLVM, "absl/", "ir/", "runtime/base/"),
    "frontend/session": (*LLVM, "absl/", API, "frontend/dsl/", "codegen/",
                         "runtime/"),
    "models": ("absl/", "frontend/"),
    "tools/compiler": (*LLVM, "absl/", API, "codegen/", "frontend/", "models/",
                       "runtime/"),
    "tools/tenon": ("sys/", "CLI/", API, "runtime/", "training/",
                    "tools/compiler/CompilerApi.h"),
    "tools/tenon-opt": (*LLVM, ABI, "ir/", "passes/", "codegen/host/"),
    "cmake": LLVM,
}
ANYTHING = ("tests", "benchmarks", "examples")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.M)


def folder_of(path):
    """The row of the table for `path`."""
    for parent in path.parents:
        if parent.as_posix() in MAY_INCLUDE:
            return parent.as_posix()
    return None


def allows(folder, header):
    if "." not in header or header in STANDARD_C | SYSTEM:
        return True
    entries = (folder + "/", *MAY_INCLUDE[folder])
    return any(header == entry or entry.endswith("/")
               and header.startswith(entry) for entry in entries)


def main():
    found = {}
    for path in source.files(*source.CPP):
        if path.parts[0] in ANYTHING:
            continue
        folder = folder_of(path)
        if folder is None:
            found[f"{path} -"] = (1, f"{path}: expects a folder of "
                                  "tests/lint/layering.py's table")
            continue
        for header in INCLUDE.findall(source.read(path)):
            if not allows(folder, header):
                found[f"{path} {header}"] = (
                    1, f"{path}: expects no include of '{header}', which "
                    f"{folder} may not use")
    source.judge("layering", found)


main()
