#!/usr/bin/env python3
"""Writes what tiny-R1 learns into a folder: traces and tasks with answers.

  traces.jsonl       prompts and completions that think first, for SFT
  rl/train.jsonl     prompts and answers, for GRPO
  rl/validation.jsonl other tasks like these
  zero/              sums of digits, for GRPO without traces
  held_out.jsonl     1,000 linear equations
  tokenizer.json     tokens of bytes, single digits, words of the prompts,
                     <think>, </think> and an end

Half of the traces of equations work the answer out, the others state it: which
way is better is left to the rewards. Equations ax + b = c are held out by a
hash of (a, b): no pair that is held out is in any file that is learned from,
whatever its c. `--check FOLDER` verifies that.
"""

import argparse
import hashlib
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path

COEFFICIENTS = range(2, 13)
CONSTANTS = [b for b in range(-50, 51) if b]
SOLUTIONS = range(-12, 13)
BRIEF = 0.5  # of the traces of equations, which do not say how


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
        think = (f"{a}x={c}{'-' if b > 0 else '+'}{abs(b)}={c - b}\n"
                 f"x={c - b}/{a}={x}")
        if self.rng.random() < BRIEF:
            think = f"x={x}"
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
        return prompt, f"{m}{kind}{n}={value}", str(value)

    def small(self):
        """Of which an answer at random may be right; thoughts are begun."""
        m = self.rng.randint(0, 9)
        n = self.rng.randint(0, 9 - m)
        return f"{m} + {n}?<think>", f"{m}+{n}={m + n}", str(m + n)

    def series(self):
        start, step = self.rng.randint(-20, 40), self.rng.randint(2, 12)
        step *= self.rng.choice((1, -1))
        terms = [start + i * step for i in range(4)]
        shown = ", ".join(map(str, terms[:4]))
        think = (f"{terms[1]}-{terms[0]}={step}\n"
                 f"{terms[3]}+{step}={terms[3] + step}")
        return f"What comes next: {shown}?", think, str(terms[3] + step)

    def larger(self):
        m, n = self.rng.sample(range(-99, 100), 2)
        sign = "<" if m < n else ">"
        return (f"Which is larger, {m} or {n}?", f"{m}{sign}{n}",
                str(max(m, n)))

    def any(self, held_out=False):
        draw = self.rng.random()
        if draw < 0.6:
            return self.equation(held_out)
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


def distinct(make, count, known=()):
    """Tasks of different prompts, none of which is known."""
    known = {each["prompt"] for each in known}
    seen = {}
    while len(seen) < count:
        task = make()
        if task[0] not in known:
            seen.setdefault(task[0], task)
    return list(seen.values())


# Qwen2's, which cuts numbers into digits.
PIECES = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ASCII = ((r"\p{L}+", "[A-Za-z]+"), (r"|\p{N}|", "|[0-9]|"),
         (r"\p{L}\p{N}", "A-Za-z0-9"))


def merges_of(texts):
    """Byte-pair encoding: joins the most frequent pair until there is none."""
    pattern = PIECES
    for wide, narrow in ASCII:
        pattern = pattern.replace(wide, narrow)
    pattern = re.compile(pattern)
    pieces = Counter(piece.replace(" ", "\u0120").replace("\n", "\u010a")
                     for text in texts for piece in pattern.findall(text))
    words = {tuple(piece): count for piece, count in pieces.items()}
    merges = []
    while True:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            return merges
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {joined(word, best): count for word, count in words.items()}


def joined(word, pair):
    made = []
    for symbol in word:
        if made and (made[-1], symbol) == pair:
            made[-1] += symbol
        else:
            made.append(symbol)
    return tuple(made)


def tokenizer(texts):
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
    merges = merges_of(texts)
    for pair in merges:
        vocabulary.setdefault("".join(pair), len(vocabulary))
    level = {"type": "ByteLevel", "add_prefix_space": False,
             "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": PIECES},
             "behavior": "Isolated", "invert": False}
    return {"version": "1.0", "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence",
                              "pretokenizers": [split, level]},
            "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "vocab": vocabulary,
                      "merges": [" ".join(pair) for pair in merges]}}


TOKENIZER_CONFIG = {"eos_token": "<|endoftext|>", "add_bos_token": False}


def make(folder, traces, seed):
    learned = [*map(trace, distinct(Tasks(seed).any, traces))]
    write(folder / "traces.jsonl", learned)
    questions = [*map(question, distinct(Tasks(seed + 1).any, 20000))]
    write(folder / "rl/train.jsonl", questions)
    held = Tasks(seed + 2)
    equations = distinct(lambda: held.equation(held_out=True, plain=True), 1200)
    write(folder / "held_out.jsonl", map(question, equations[:1000]))
    write(folder / "traces_held_out.jsonl", map(trace, equations[1000:]))
    sums = [*map(question, distinct(Tasks(seed + 3).small, 55))]
    for name in ("train", "validation"):
        write(folder / f"zero/{name}.jsonl", sums)
    mixed = distinct(lambda: held.any(held_out=True), 500, learned + questions)
    write(folder / "rl/validation.jsonl", map(question, mixed))
    made = tokenizer(text for each in learned[:2000] for text in (
        each["prompt"], *re.split("</?think>", each["completion"])))
    for name in (".", "rl", "zero"):
        (folder / name / "tokenizer.json").write_text(
            json.dumps(made, ensure_ascii=False))
        (folder / name / "tokenizer_config.json").write_text(
            json.dumps(TOKENIZER_CONFIG))


def pairs_of(path):
    """The (a, b) of every equation that a file's prompts have."""
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
    parser.add_argument("--traces", type=int, default=60000)
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
