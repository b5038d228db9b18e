#!/usr/bin/env python3
"""Writes tasks.jsonl and held_out.jsonl: instructions with one right answer.

Dates and times in words to be written in digits, names to initials. No held-out
prompt is among the tasks.
"""

import json
import random
from pathlib import Path

MONTHS = ("January February March April May June July August September "
          "October November December").split()
HOURS = ("one two three four five six seven eight nine ten eleven "
         "twelve").split()
FIRST = ("Ada Alan Barbara Charles Claude Dennis Donald Edsger Frances Grace "
         "John Kathleen Linus Margaret Niklaus Peter Robin Sophie Tony "
         "Vera").split()
LAST = ("Allen Babbage Booth Dijkstra Hamilton Hoare Hopper Kay Knuth Landin "
        "Liskov Lovelace McCarthy Milner Naur Ritchie Shannon Turing Wilson "
        "Wirth").split()


def ordinal(n):
    if 10 < n % 100 < 14:
        return f"{n}th"
    return f"{n}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th') }"


def date(rng):
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    year = rng.randint(1600, 2099)
    name = MONTHS[month - 1]
    words = rng.choice((f"{name} {ordinal(day)}, {year}",
                        f"{day} {name} {year}",
                        f"the {ordinal(day)} of {name} {year}"))
    return (f"Write this date in digits: {words}.",
            f"{year}-{month:02}-{day:02}")


def clock(rng):
    hour, afternoon = rng.randint(1, 11), rng.random() < 0.5
    minutes, words = rng.choice(((0, "{} o'clock"), (15, "a quarter past {}"),
                                 (30, "half past {}"), (10, "ten past {}"),
                                 (20, "twenty past {}")))
    said = words.format(HOURS[hour - 1])
    part = "afternoon" if afternoon else "morning"
    return (f"Write this time in digits: {said} in the {part}.",
            f"{hour + 12 * afternoon:02}:{minutes:02}")


def initials(rng):
    names = [rng.choice(FIRST), rng.choice(FIRST), rng.choice(LAST)]
    return (f"Write the initials of {' '.join(names)}.",
            "".join(name[0] + "." for name in names))


def main():
    rng = random.Random(7)
    made = {}
    while len(made) < 650:
        prompt, answer = rng.choice((date, clock, initials))(rng)
        made[f"Instruction: {prompt}\nAnswer:"] = " " + answer
    pairs = list(made.items())
    rng.shuffle(pairs)
    for name, part in (("held_out", pairs[:50]), ("tasks", pairs[50:])):
        lines = [json.dumps({"prompt": prompt, "completion": completion})
                 for prompt, completion in part]
        (Path(__file__).parent / f"{name}.jsonl").write_text(
            "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
