"""Tensor work is generated: no vector code is written by hand, no library
multiplies.

The files about the processor itself are the exception: the probes measure it,
the runtime asks what it has. What is left of the intrinsics sets the
floating-point mode and waits.
"""

import re

import source

ABOUT_THE_PROCESSOR = {"benchmarks/Probes.cpp",
                       "runtime/hal/cpu/CpuFeatures.cpp"}
ALLOWED = {"_mm_getcsr", "_mm_setcsr", "_mm_pause"}
VECTOR = re.compile(r"\b(_mm\d*_\w+|__m(?:64|128|256|512)\w*|__builtin_ia32\w*"
                    r"|__builtin_elementwise\w*|asm|__asm__|vector_size"
                    r"|ext_vector_type)\b"
                    r"|#\s*pragma\s+(omp|clang\s+loop|GCC\s+ivdep)")
LIBRARY = re.compile(r'#\s*include\s*["<]((?:mkl|cblas|openblas|dnnl|oneapi/|'
                     r'Eigen/|xnnpack)[^">]*)[">]')


def main():
    found = {}
    for path in source.files(*source.CPP):
        if path.as_posix() in ABOUT_THE_PROCESSOR:
            continue
        text = source.TOKENS.sub(source.blank, source.read(path))
        words = {match.group(0) for match in VECTOR.finditer(text)} - ALLOWED
        headers = set(LIBRARY.findall(source.read(path)))
        for word in sorted(words | headers):
            found[f"{path} {word}"] = (
                1, f"{path}: expects generated code, not '{word}'")
    source.judge("generated", found)


main()
