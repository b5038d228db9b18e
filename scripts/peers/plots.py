"""Plots as SVG: ratios to the best peer; models under the machine's roofs."""

import math
from xml.sax.saxutils import escape

COLOURS = {"tenon": "#c44536", "llama": "#3a6ea5", "ik": "#5b8c5a"}
GREY = "#888888"
# The probe of what binds products of activations of a type.
PEAKS = {"f32": "fmaF32", "bf16": "dotBf16", "q8": "dotInt8"}


class Svg:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def line(self, x1, y1, x2, y2, colour=GREY, width=1, dash=""):
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}" stroke-width="{width}"'
            + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                          f'height="{height:.1f}" fill="{colour}"/>')

    def dot(self, x, y, colour, is_hollow):
        fill = "#ffffff" if is_hollow else colour
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" '
                          f'fill="{fill}" stroke="{colour}" stroke-width="2"/>')

    def text(self, x, y, text, anchor="start", colour="#222222", size=11):
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
            f'fill="{colour}" font-size="{size}">{escape(text)}</text>')

    def __str__(self):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" '
            f'height="{self.height}" font-family="sans-serif">',
            f'<rect width="{self.width}" height="{self.height}" '
            'fill="#ffffff"/>', *self.parts, "</svg>", ""])


def ratios(rows):
    """A bar for each row that has a peer, on a logarithmic scale."""
    rows = [row for row in rows if row.ratio]
    left, right, step, top = 330, 60, 15, 40
    svg = Svg(900, top + step * len(rows) + 30)
    bottom = svg.height - 20
    logs = [math.log2(row.ratio) for row in rows] or [0]
    least, most = math.floor(min(logs + [-1])), math.ceil(max(logs + [1]))

    def across(value):
        return left + (svg.width - left - right) * (value - least) / (
            most - least)

    svg.text(svg.width / 2, 18, "Tenon's speed over the best peer's (line: 1)",
             "middle", size=14)
    for power in range(least, most + 1):
        svg.line(across(power), top - 4, across(power), bottom, "#dddddd")
        svg.text(across(power), bottom + 14, f"{2.0 ** power:g}", "middle")
    for i, (row, value) in enumerate(zip(rows, logs)):
        y = top + step * i
        colour = GREY if row.verdict() == "-" else (
            "#5b8c5a" if row.verdict() == "pass" else "#c44536")
        begin, end = sorted((across(0), across(value)))
        svg.box(begin, y, max(end - begin, 1), step - 4, colour)
        svg.text(left - 8, y + 10, row.name, "end", size=10)
        svg.text(svg.width - right + 4, y + 10,
                 f"{row.ratio:.2f} {row.best}", size=10)
    svg.line(across(0), top - 4, across(0), bottom, "#222222")
    return str(svg)


class Logarithmic:
    """Maps intensity and performance to a plot's points."""

    def __init__(self, svg, x_range, y_range):
        self.svg = svg
        self.x_range, self.y_range = x_range, y_range

    @staticmethod
    def part(value, bounds):
        low, high = map(math.log10, bounds)
        return (math.log10(value) - low) / (high - low)

    def at(self, x, y):
        return (70 + (self.svg.width - 280) * self.part(x, self.x_range),
                self.svg.height - 50 - (self.svg.height - 100)
                * self.part(y, self.y_range))

    def axes(self):
        for x in powers(self.x_range):
            self.svg.line(*self.at(x, self.y_range[0]),
                          *self.at(x, self.y_range[1]), "#eeeeee")
            at = self.at(x, self.y_range[0])
            self.svg.text(at[0], at[1] + 16, f"{x:g}", "middle")
        for y in powers(self.y_range):
            self.svg.line(*self.at(self.x_range[0], y),
                          *self.at(self.x_range[1], y), "#eeeeee")
            at = self.at(self.x_range[0], y)
            self.svg.text(at[0] - 8, at[1] + 4, f"{y:g}", "end")


def powers(bounds):
    low, high = (math.log10(bound) for bound in bounds)
    return [10.0 ** power for power in range(math.ceil(low - 1e-9),
                                             math.floor(high + 1e-9) + 1)]


def points(rows):
    """(peer, label, operations per byte, operations per second)."""
    for row in rows:
        weights = row.record.get("weights_per_token")
        size = row.record.get("bytes_per_token")
        if not weights or not size:
            continue
        is_decode = "decode" in row.name
        tokens = 1 if is_decode else int(row.name.rsplit(" ", 1)[-1])
        label = row.name.removeprefix("model/")
        for peer, rate in (("tenon", row.tenon), *row.peers.items()):
            if rate:
                yield (peer, label, 2 * weights * tokens / size,
                       2 * weights * rate)


def roofs(svg, plot, probes, threads):
    """The limits: a slope of the bandwidth, and a level of each peak."""
    bandwidth = probes.get(f"readBandwidth/threads:{threads}")
    ends = plot.x_range
    for name, peak in probes.items():
        if not name.endswith(f"threads:{threads}") or "andwidth" in name:
            continue
        start = peak / bandwidth if bandwidth else ends[0]
        svg.line(*plot.at(max(start, ends[0]), peak / 1e9),
                 *plot.at(ends[1], peak / 1e9), "#222222", 1.5)
        at = plot.at(ends[1], peak / 1e9)
        svg.text(at[0] + 6, at[1] + 4, f"{name.split('/')[0]} "
                 f"{peak / 1e9:.0f} G/s")
    if not bandwidth:
        return
    low, high = plot.y_range
    last = min(ends[1], high * 1e9 / bandwidth)
    first = max(ends[0], low * 1e9 / bandwidth)
    svg.line(*plot.at(first, bandwidth * first / 1e9),
             *plot.at(last, bandwidth * last / 1e9), "#222222", 1.5)
    at = plot.at(first, bandwidth * first / 1e9)
    svg.text(at[0] + 10, at[1] - 14, f"reading {bandwidth / 1e9:.1f} GB/s")


def roofline(rows, probes, threads=2):
    """Decoding (hollow) and prompts (filled) against the measured limits."""
    found = list(points(rows))
    speeds = [speed / 1e9 for *_, speed in found] + [
        peak / 1e9 for name, peak in probes.items()
        if name.endswith(f"threads:{threads}") and "andwidth" not in name]
    svg = Svg(940, 560)
    tops = [intensity for _, _, intensity, _ in found]
    plot = Logarithmic(
        svg, (0.5, 10 ** math.ceil(math.log10(max(tops)))),
        (10 ** math.floor(math.log10(min(speeds))),
         10 ** math.ceil(math.log10(max(speeds)))))
    svg.text(svg.width / 2, 20, "Models under the machine's roofs, "
             f"{threads} threads", "middle", size=14)
    svg.text(350, svg.height - 12, "operations for each byte of weights",
             "middle")
    svg.text(12, 38, "G operations/s")
    plot.axes()
    roofs(svg, plot, probes, threads)
    for peer, label, intensity, speed in found:
        x, y = plot.at(intensity, speed / 1e9)
        svg.dot(x, y, COLOURS.get(peer, GREY), "decode" in label)
        if peer == "tenon":
            svg.text(x + 7, y + 4, label, colour=COLOURS["tenon"], size=9)
    for i, peer in enumerate(dict.fromkeys(peer for peer, *_ in found)):
        y = svg.height - 120 + 16 * i
        svg.dot(svg.width - 180, y, COLOURS.get(peer, GREY), False)
        svg.text(svg.width - 170, y + 4, peer)
    svg.text(svg.width - 186, svg.height - 64, "hollow: decoding", size=10)
    return str(svg)
