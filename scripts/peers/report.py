"""Writes the table and the plots of what bench-peers measured."""

import math
import re
import statistics

from peers import plots, work

UNMEASURED = "-"


class Row:
    """One line of the table, by its record."""

    def __init__(self, name, group, target, record, probes):
        self.name, self.group, self.target = name, group, target
        self.record = record
        self.is_rate = record["unit"] == "tokens/s"
        self.tenon = self.median(record["tenon"])
        self.error = record["tenon"].get("error")
        self.peers = {peer: self.median(answer)
                      for peer, answer in record["peers"].items()}
        known = {peer: value for peer, value in self.peers.items() if value}
        pick = max if self.is_rate else min
        self.best = pick(known, key=known.get) if known else None
        self.ratio = self.ratio_to(self.peers.get(self.best))
        self.roof = self.roof_of(record.get("probes") or probes)

    @staticmethod
    def median(answer):
        runs = answer.get("runs")
        return statistics.median(runs) if runs else None

    def ratio_to(self, peer):
        if not peer or not self.tenon:
            return None
        return self.tenon / peer if self.is_rate else peer / self.tenon

    def roof_of(self, probes):
        if roofs := self.record["tenon"].get("roof"):
            return statistics.median(roofs)
        if not self.is_rate or not self.tenon:
            return None
        threads = self.record["threads"]
        if "decode" in self.name:
            return self.part(self.record.get("bytes_per_token"),
                             probes.get(f"readBandwidth/threads:{threads}"))
        operations = 2 * self.record.get("weights_per_token", 0)
        return self.part(operations, self.peak(probes, threads))

    def peak(self, probes, threads):
        kind = plots.PEAKS[self.record["tenon"].get("activations", "f32")]
        return probes.get(f"{kind}/threads:{threads}")

    def part(self, each, most):
        return self.tenon * each / most if each and most else None

    def verdict(self):
        """Whether the target, if any, is reached; UNMEASURED: unknown."""
        if not self.tenon:
            return UNMEASURED
        if self.target == work.Target():
            return "told"
        target, parts = self.target, []
        if target.most:
            parts.append(self.tenon <= target.most)
        against = self.peers.get(target.against or self.best)
        for wanted, got in ((target.roof, self.roof),
                            (target.ratio, self.ratio_to(against))):
            if wanted:
                parts.append(None if got is None else got >= wanted)
        reached = (any(parts) if target.either
                   else None if None in parts else all(parts))
        if reached is None or (not reached and None in parts):
            return "short" if False in parts else UNMEASURED
        return "pass" if reached else "short"

    def figure(self, value):
        if value is None:
            return UNMEASURED
        if self.is_rate:
            return f"{value:.1f} tokens/s"
        shape = re.search(r"m:(\d+)/n:(\d+)/k:(\d+)", self.name)
        if shape:
            operations = 2 * math.prod(map(int, shape.groups()))
            return f"{operations / value / 1e9:.1f} GFLOP/s"
        unit, scale = next(pair for pair in (("s", 1), ("ms", 1e-3),
                                             ("us", 1e-6))
                           if value >= pair[1] or pair[0] == "us")
        return f"{value / scale:.3g} {unit}"


def describe(target):
    texts = []
    if target.roof:
        texts.append(f"roof >= {target.roof:g}")
    if target.ratio:
        to = f" to {target.against}" if target.against else ""
        texts.append(f"ratio{to} >= {target.ratio:g}")
    if target.most:
        texts.append(f"<= {target.most:g} s")
    return (" or " if target.either else ", ").join(texts)


def rows_of(results):
    probes = {}
    for probe in results.get("probes", []):
        for name, value in probe.items():  # The calmest says what there is.
            probes[name] = max(value, probes.get(name, 0))
    rows = []
    for item in work.items():
        for name, record in results["rows"].items():
            if name != item.name and not name.startswith(item.name + "/"):
                continue
            target = work.COMPILE_TARGETS.get(
                name.rsplit("/", 1)[-1],
                item.decode_target if "/decode" in name else item.target)
            rows.append(Row(name, item.group, target, record, probes))
    return rows, probes


def number(value):
    return UNMEASURED if value is None else f"{value:.2f}"


def table(rows):
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    heads = ["work", "Tenon", *peers, "best peer", "ratio", "roof", "target",
             "result"]
    lines = ["| " + " | ".join(heads) + " |",
             "|" + "---|" * len(heads)]
    for row in rows:
        name = row.name.split("/", 1)[-1]
        cells = [f"`{name}`", row.figure(row.tenon),
                 *(row.figure(row.peers.get(peer)) for peer in peers),
                 row.best or UNMEASURED, number(row.ratio), number(row.roof),
                 describe(row.target), row.verdict()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def with_f32(rows):
    """What Tenon does without quantising activations."""
    for row in rows:
        if value := Row.median(row.record.get("tenon_f32", {})):
            yield (f"`{row.name.split('/', 1)[-1]}` with f32 activations: "
                   f"{row.figure(value)}.")


def across(rows):
    """Figures that are of several rows: (what, value, at least)."""
    ratios = [row.ratio for row in rows if row.ratio and
              row.name.startswith("matmul/f32") and "k:1024" in row.name
              and "m:1024" not in row.name]
    if ratios:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        yield "f32, m of 1 to 512: ratio, geometric mean", mean, 1.0
    times = {row.name: row.tenon for row in rows}
    one, two = (times.get(f"matmul/f32/m:2048/n:2048/k:2048/threads:{threads}")
                for threads in (1, 2))
    if one and two:
        yield "f32 2048^3: two threads over one", one / two, 1.9


def notes(rows):
    """What was not measured, and why; once each."""
    found = {}
    for row in rows:
        if row.error:
            found.setdefault(f"Tenon: {row.error}", row.name)
        for peer, answer in row.record["peers"].items():
            if "error" in answer:
                found.setdefault(f"{peer}: {answer['error']}", row.name)
    for text, name in found.items():
        yield f"- `{name}` and its like: {' '.join(text.split())}"


def text_of(results, rows, probes, plot_names):
    machine = results["machine"]
    lines = [f"# Tenon and its peers, {results['date']}", "",
             f"`{results['command']}` at commit {results['commit']}; "
             f"{machine['cpu']}, {machine['cpus']} CPUs, load average before "
             f"{machine['load_average_before']}; medians of "
             f"{results['rounds']} rounds. Peers: " + ", ".join(
                 text for texts in results["peers"].values()
                 for text in texts) + ".", "",
             "Roof: the part of the limit that binds, probed beside it. Ratio: "
             "of the best peer's speed. `benchmarks/README.md` has the method.",
             "", "| limit | measured |", "|---|---|"]
    lines += [f"| `{name}` | {value / 1e9:.1f} G/s |"
              for name, value in probes.items()]
    counts = [row.verdict() for row in rows]
    lines += ["", f"{counts.count('pass')} pass, {counts.count('short')} short, "
              f"{counts.count(UNMEASURED)} unmeasured.", ""]
    for group in dict.fromkeys(row.group for row in rows):
        part = [row for row in rows if row.group == group]
        lines += [f"## {group}", "", *table(part), ""]
        if texts := list(with_f32(part)):
            lines += [*texts, ""]
    if whole := list(across(rows)):
        lines += ["## Across rows", "", "| what | is | at least | result |",
                  "|---|---|---|---|"]
        lines += [f"| {what} | {value:.2f} | {least} | "
                  f"{'pass' if value >= least else 'short'} |"
                  for what, value, least in whole]
        lines.append("")
    if left := list(notes(rows)):
        lines += ["## Not measured", "", *left, ""]
    lines += [f"![{name}]({name})" for name in plot_names]
    return "\n".join(lines).rstrip() + "\n"


def write(path, results):
    """Beside the results at `path`: .md, .svg, and -roofline.svg of models."""
    rows, probes = rows_of(results)
    written = [path.with_suffix(".svg")]
    written[0].write_text(plots.ratios(rows))
    models = [row for row in rows if row.group == "models"]
    if any(row.record.get("weights_per_token") for row in models):
        written.append(path.with_name(path.stem + "-roofline.svg"))
        written[1].write_text(plots.roofline(models, probes))
    text = text_of(results, rows, probes, [name.name for name in written])
    path.with_suffix(".md").write_text(text)
    print(text)
