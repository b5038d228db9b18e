#!/usr/bin/env python3
"""Writes what tiny-R1 learns into a folder: traces and tasks with answers.

  traces.jsonl       prompts and completions that think first, for SFT
  rl/train.jsonl     prompts and answers, for GRPO
  rl/validation.jsonl
  held_out.jsonl     1,000 linear equations
  tokenizer.json     a token for each byte, for <think>, for </think> and an end

Equations ax + b = c are held out by a hash of (a, b): no pair that is held out
is in any other file, whatever its c. `--check FOLDER` verifies that.
"""

import argparse
import hashlib
import json
import random
import sys
from pathlib import Path

COEFFICIENTS = range(2, 13)
CONSTANTS = [b for b in range(-50, 51) if b]
SOLUTIONS = range(-12, 13)


def is_held_out(a, b):
    """A fifth of all pairs."""
    return hashlib.sha256(f"{a},{b}".encode()).digest()[0] % 5 == 0


def signed(n):
    return f"+ {n}" if n >= 0 else f"- {-n}"


class Tasks:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def pair(self, held_out):
        while True:
            a, b = self.rng.choice(COEFFICIENTS), self.rng.choice(CONSTANTS)
            if is_held_out(a, b) == held_out:
                return a, b

    def equation(self, held_out=False, plain=False):
        """A prompt, thoughts and an answer."""
        a, b = self.pair(held_out)
        x = self.rng.choice(SOLUTIONS)
        c = a * x + b
        left = f"{a}x {signed(b)}"
        step = f"{c} {'-' if b > 0 else '+'} {abs(b)} = {c - b}"
        think = f"{a}x = {step}\nx = {c - b} / {a} = {x}"
        ways = [f"Solve {left} = {c}."]
        if not plain:
            done = f"add {b}" if b > 0 else f"subtract {-b}"
            ways += [f"Find x: {left} = {c}", f"What is x if {left} = {c}?",
                     f"I multiply a number by {a} and {done}. I get {c}. What "
                     "is the number?"]
        return self.rng.choice(ways), think, f"x = {x}"

    def arithmetic(self):
        kind = self.rng.choice("+-*")
        if kind == "*":
            m, n = self.rng.randint(2, 12), self.rng.randint(-12, 12)
        else:
            m, n = self.rng.randint(-99, 99), self.rng.randint(0, 99)
        value = {"+": m + n, "-": m - n, "*": m * n}[kind]
        word = {"+": "plus", "-": "minus", "*": "times"}[kind]
        prompt = self.rng.choice((f"What is {m} {kind} {n}?",
                                  f"What is {m} {word} {n}?",
                                  f"Compute {m} {kind} {n}."))
        return prompt, f"{m} {kind} {n} = {value}", str(value)

    def series(self):
        start, step = self.rng.randint(-20, 40), self.rng.randint(2, 12)
        step *= self.rng.choice((1, -1))
        terms = [start + i * step for i in range(4)]
        shown = ", ".join(map(str, terms[:4]))
        think = (f"{terms[1]} - {terms[0]} = {step}\n"
                 f"{terms[3]} + {step} = {terms[3] + step}")
        return f"What comes next: {shown}?", think, str(terms[3] + step)

    def larger(self):
        m, n = self.rng.sample(range(-99, 100), 2)
        sign = "<" if m < n else ">"
        return (f"Which is larger, {m} or {n}?", f"{m} {sign} {n}",
                str(max(m, n)))

    def any(self):
        draw = self.rng.random()
        if draw < 0.6:
            return self.equation()
        if draw < 0.85:
            return self.arithmetic()
        return self.series() if draw < 0.95 else self.larger()


def trace(task):
    prompt, think, answer = task
    return {"prompt": prompt,
            "completion": f"<think>{think}</think>{answer}"}


def question(task):
    prompt, _, answer = task
    return {"prompt": prompt,
            "answer": answer.removeprefix("x = ")}


def write(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in records))


def distinct(make, count):
    seen = {}
    while len(seen) < count:
        task = make()
        seen.setdefault(task[0], task)
    return list(seen.values())


def tokenizer():
    """As `tenon data --tokenizer bytes`, with two tokens more."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelled, extra = {}, 256
    for byte in range(256):
        if byte in kept:
            spelled[byte] = chr(byte)
        else:
            spelled[byte] = chr(extra)
            extra += 1
    vocabulary = {spelled[byte]: byte for byte in range(256)}
    added = []
    for i, (content, special) in enumerate((("<|endoftext|>", True),
                                            ("<think>", False),
                                            ("</think>", False))):
        vocabulary[content] = 256 + i
        added.append({"id": 256 + i, "content": content, "single_word": False,
                      "lstrip": False, "rstrip": False, "normalized": False,
                      "special": special})
    level = {"type": "ByteLevel", "add_prefix_space": False,
             "trim_offsets": True, "use_regex": False}
    return {"version": "1.0", "added_tokens": added, "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "vocab": vocabulary, "merges": []}}


TOKENIZER_CONFIG = {"eos_token": "<|endoftext|>", "add_bos_token": False}


def make(folder, traces, seed):
    write(folder / "traces.jsonl",
          map(trace, distinct(Tasks(seed).any, traces)))
    questions = Tasks(seed + 1)
    write(folder / "rl/train.jsonl",
          map(question, distinct(questions.any, 20000)))
    held = Tasks(seed + 2)
    equations = distinct(lambda: held.equation(held_out=True, plain=True), 1200)
    write(folder / "rl/validation.jsonl", map(question, equations[1000:]))
    write(folder / "held_out.jsonl", map(question, equations[:1000]))
    write(folder / "traces_held_out.jsonl", map(trace, equations[1000:]))
    for name in (".", "rl"):
        (folder / name / "tokenizer.json").write_text(
            json.dumps(tokenizer(), ensure_ascii=False))
        (folder / name / "tokenizer_config.json").write_text(
            json.dumps(TOKENIZER_CONFIG))


def pairs_of(path):
    """The (a, b) of every equation that a file's prompts have."""
    import re
    pairs = set()
    for line in path.read_text().splitlines():
        prompt = json.loads(line)["prompt"]
        symbols = re.search(r"(\d+)x ([+-]) (\d+) =", prompt)
        words = re.search(r"by (\d+) and (add|subtract) (\d+)", prompt)
        for found in filter(None, (symbols, words)):
            sign = -1 if found[2] in ("-", "subtract") else 1
            pairs.add((int(found[1]), sign * int(found[3])))
    return pairs


def check(folder):
    learned = pairs_of(folder / "traces.jsonl") | pairs_of(
        folder / "rl/train.jsonl")
    held = pairs_of(folder / "held_out.jsonl") | pairs_of(
        folder / "rl/validation.jsonl")
    print(f"{len(learned)} pairs learned, {len(held)} held out, "
          f"{len(learned & held)} in both")
    return 0 if held and learned and not learned & held else 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--traces", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true",
                        help="verify a folder that was written")
    options = parser.parse_args()
    if options.check:
        return check(options.folder)
    make(options.folder, options.traces, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
