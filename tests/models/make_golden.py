#!/usr/bin/env python3
"""Makes the golden values of the model tests: see golden/README.md.

    make_golden.py tiny                             golden/tiny_*
    make_golden.py deepseek                         golden/tiny_deepseek*
    make_golden.py gemma MODEL.gguf --f32 F32.gguf  golden/gemma3-270m.*

Needs numpy and gguf and, but for deepseek, llama-cpp-python
(`scripts/bench-llama` installs them).
Tests read what this writes; no build and no test runs it.
"""

import argparse


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("tiny")
    commands.add_parser("deepseek")
    one = commands.add_parser("gemma")
    one.add_argument("model")
    one.add_argument("--f32", required=True, help="made when absent (1 GB)")
    args = parser.parse_args()
    if args.command == "deepseek":  # the one that needs no llama.cpp
        from golden import deepseek
        deepseek.make()
        return
    from golden import gemma, gpt2, tiny
    if args.command == "gemma":
        gemma.make(args.model, args.f32)
        return
    tiny.make()
    gpt2.make()


if __name__ == "__main__":
    main()
