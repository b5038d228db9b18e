"""What the benchmark scripts share: runs of tenon, the machine, results."""

import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("TENON_CACHE") or Path.home() / ".cache/tenon")
GEMMA = CACHE / "gemma-3-270m-q4_k_m.gguf"
TENON = ROOT / "build/release/bin/tenon"
ROW = re.compile(r"^(prompt|generation|compile|load|prepare)  +(.*)$", re.M)


def arguments(parser):
    """Adds what every benchmark of the command takes."""
    parser.add_argument("model", nargs="?", type=Path, default=GEMMA,
                        metavar="MODEL", help="default: scripts/get-model's")
    parser.add_argument("--tenon", type=Path, default=TENON,
                        metavar="PROGRAM", help="default: build/release's")
    parser.add_argument("-t", dest="threads", type=int, default=2,
                        help="threads; default: 2")
    args = parser.parse_args()
    for path, cure in ((args.model, "scripts/get-model gemma3-270m"),
                       (args.tenon, "./quickstart")):
        if not path.exists():
            parser.error(f"expects a file '{path}': {cure} makes it")
    return args


def run_tenon(args, *options, env=None):
    """Runs the model once; what --stats says, and wall seconds.

    A rate is {"tokens": n, "per_s": x}, anything else is in seconds.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [args.tenon, "run", args.model, "--greedy", "--threads",
         str(args.threads), "--stats", *map(str, options)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=env, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"tenon run failed: {done.stderr}")
    stats = {"wall_s": wall}
    for name, text in ROW.findall(done.stderr):
        rate = re.match(r"(\d+) tokens, ([\d.]+) tokens/s", text)
        if rate:
            stats[name] = {"tokens": int(rate[1]), "per_s": float(rate[2])}
        else:
            stats[f"{name}_s"] = float(text.split()[0])
    return stats


def summary(values, digits=2):
    return {"median": round(statistics.median(values), digits),
            "runs": [round(value, digits) for value in values]}


def machine():
    model = re.search(r"^model name\s*: (.*)$",
                      Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else "unknown", "cpus": os.cpu_count(),
            "load_average_before": round(os.getloadavg()[0], 2)}


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
    changed = git("status", "--porcelain", "--untracked-files=no").strip()
    return git("rev-parse", "--short=12", "HEAD").strip() + (
        " with changes" if changed else "")


def save(name, result):
    """Writes benchmarks/results/<name>-<commit>.json and prints it."""
    result["commit"] = commit()
    result["date"] = datetime.date.today().isoformat()
    folder = ROOT / "benchmarks/results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{result['commit'].split()[0]}.json"
    text = json.dumps(result, indent=1)
    path.write_text(text + "\n")
    print(text)
    print(f"written to {path.relative_to(ROOT)}", file=sys.stderr)
