"""Measures items: Tenon and its peers in turns, A B A B."""

import json
import os
import re
import subprocess
import time

import measure
from peers import packages

BINARIES = measure.ROOT / "build/release/bin"
BENCH_LLAMA = measure.ROOT / "scripts/bench-llama"
MODELS = packages.FOLDER / "models"
# A peer's answers come from the environment of this one.
ENVIRONMENT = {"onednn": "torch"}
PAUSE_S = 0.2  # Threads that wait for more work spin for a while.


class Unavailable(Exception):
    """Why something was not measured."""


class Worker:
    """One peer's process for kernels, with some threads."""

    def __init__(self, peer, threads):
        name = ENVIRONMENT.get(peer, peer)
        if not packages.is_installed(name):
            raise Unavailable(f"not installed: bench-peers --install {name}")
        count = str(threads)
        env = dict(os.environ, OMP_NUM_THREADS=count, MKL_NUM_THREADS=count,
                   OPENBLAS_NUM_THREADS=count,
                   # Large results from the heap: no page faults in each call.
                   MALLOC_MMAP_THRESHOLD_=str(1 << 30),
                   MALLOC_TRIM_THRESHOLD_=str(1 << 34))
        self.process = subprocess.Popen(
            [packages.python_of(name), "-B",
             measure.ROOT / "scripts/peers/kernels.py", peer, count],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=env, text=True)

    def ask(self, request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            reply = self.process.stdout.readline()
        except OSError:
            reply = ""
        if not reply:
            return {"error": f"ended with {self.process.wait()}"}
        return json.loads(reply)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Workers:
    """Those of one number of threads; starting one takes seconds."""

    def __init__(self):
        self.threads, self.open = None, {}

    def get(self, peer, threads):
        if threads != self.threads:
            self.close()
            self.threads = threads
        if peer not in self.open:
            self.open[peer] = Worker(peer, threads)
        return self.open[peer]

    def close(self):
        for worker in self.open.values():
            worker.close()
        self.open = {}


def command(words, env=None):
    """The JSON that a program prints."""
    words = [str(word) for word in words]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=env, check=False)
    except OSError as error:
        raise Unavailable(f"{words[0]}: {error.strerror}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(words)}: {done.stderr.strip()[-400:]}")
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise Unavailable(f"{' '.join(words)}: expects JSON, got "
                          f"'{done.stdout[:80]}'") from error


def find_benchmark(item):
    """The name of Tenon's benchmark of an item."""
    program = BINARIES / item.program
    if not program.exists():
        raise Unavailable(f"no program build/release/bin/{item.program}")
    names = subprocess.run([program, "--benchmark_list_tests=true"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split()
    for pattern in item.benchmarks:
        for name in names:
            if re.fullmatch(pattern, name):
                return name
    raise Unavailable(f"{item.program} has no such benchmark")


def run_benchmark(item, name, seconds):
    """Seconds of a call, or of what it adds to its work, and the part of the
    roof, by Google Benchmark."""
    result = command([BINARIES / item.program,
                      f"--benchmark_filter=^{re.escape(name)}$",
                      "--benchmark_format=json",
                      f"--benchmark_min_time={seconds}"])["benchmarks"][0]
    if result.get("error_occurred"):
        raise Unavailable(result["error_message"])
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[result["time_unit"]]
    if "overhead_ns" in result:  # The rest is the work itself.
        return result["overhead_ns"] * 1e-9, None
    return result["real_time"] * unit, result.get("roof_fraction")


def probes():
    """What bin/limits says, by benchmark: operations or bytes per second."""
    listed = command([BINARIES / "limits", "--benchmark_format=json",
                      "--benchmark_min_time=0.2"])["benchmarks"]
    return {probe["name"].replace("/real_time", ""):
            probe.get("items_per_second", probe.get("bytes_per_second"))
            for probe in listed if not probe.get("error_occurred")}


def kernel(item, options, workers):
    """Rounds of Tenon's benchmark, then each peer's."""
    record = {"unit": "s", "tenon": {"runs": [], "roof": []}, "peers": {}}
    try:
        record["benchmark"] = find_benchmark(item)
    except Unavailable as error:
        record["tenon"] = {"error": str(error)}
    for _ in range(options.rounds):
        if "benchmark" in record:
            seconds, roof = run_benchmark(item, record["benchmark"],
                                          options.seconds)
            record["tenon"]["runs"].append(seconds)
            if roof is not None:
                record["tenon"]["roof"].append(roof)
        for peer in item.peers:
            time.sleep(PAUSE_S)
            ask_peer(item, peer, options, workers, record["peers"])
    return {item.name: record}


def ask_peer(item, peer, options, workers, answers):
    answer = answers.setdefault(peer, {"runs": []})
    if "runs" not in answer:  # It failed, or cannot.
        return
    try:
        worker = workers.get(peer, item.threads)
        reply = worker.ask(dict(item.request, seconds=options.seconds))
    except Unavailable as error:
        reply = {"error": str(error)}
    if "runs" in reply:
        answer["runs"] += reply["runs"]
    else:
        answers[peer] = reply


#===------------------------------------------------------------------------===
# Models
#===------------------------------------------------------------------------===


def run_quietly(words):
    """Runs a program whose output matters only when it fails."""
    words = [str(word) for word in words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    if done.returncode:
        raise Unavailable(f"{words[0]} {words[2]}: {done.stdout.strip()[-400:]}")


QUANTISE = """
import sys, llama_cpp
params = llama_cpp.llama_model_quantize_default_params()
params.ftype, params.nthread = int(sys.argv[3]), 2
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(),
                                        sys.argv[2].encode(), params))
"""


def model_path(name):
    """The file of a model, made when absent."""
    if name == "gemma3-270m":
        if not measure.GEMMA.exists():
            raise Unavailable("no Gemma: scripts/get-model gemma3-270m")
        return measure.GEMMA
    path = MODELS / f"{name}.gguf"
    if path.exists():
        return path
    if not packages.is_installed("llama"):
        raise Unavailable("not installed: bench-peers --install llama")
    shape, kind = name.rsplit("-", 1)
    MODELS.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    packages.say(f"making {path}")
    python = packages.python_of("llama")
    if kind == "q4_k":  # Q4_K_M, by llama.cpp's own quantiser.
        run_quietly([python, "-c", QUANTISE, model_path(f"{shape}-f16"),
                     partial, 15])
    else:
        run_quietly([python, "-B",
                     measure.ROOT / "benchmarks/make_models.py", shape,
                     partial, "--type", kind])
    partial.rename(path)
    return path


BYTES = """
import sys, gguf
reader = gguf.GGUFReader(sys.argv[1])
def value(name):
    found = [field.contents() for key, field in reader.fields.items()
             if key.endswith("." + name)]
    return found[0] if found else 1
# Of experts, those that a token chooses.
part = value("expert_used_count") / value("expert_count")
sizes = {t.name: int(t.n_bytes) * (part if "_exps." in t.name else 1)
         for t in reader.tensors}
if "output.weight" in sizes:  # Else the embedding is the head.
    del sizes["token_embd.weight"]
print(int(sum(sizes.values())))
"""
PARAMETERS = BYTES.replace("n_bytes", "n_elements")


def sizes(path):
    """Bytes read and weights multiplied with for each token."""
    if not packages.is_installed("llama"):
        return {}
    python = packages.python_of("llama")
    return {name: command([python, "-c", text, path])
            for name, text in (("bytes_per_token", BYTES),
                               ("weights_per_token", PARAMETERS))}


def activations_of(item):
    """Quantised as the peers do, or bf16 where this tenon offers it."""
    if not item.model.endswith("bf16"):
        return "q8"
    text = subprocess.run([BINARIES / "tenon", "bench", "--help"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=True).stdout
    offered = re.search(r"--activations[^{]{0,80}\{[^}]*\bbf16", text)
    return "bf16" if offered else "f32"


def tenon_model(item, path, options, activations):
    result = command([BINARIES / "tenon", "bench", path, "-p", options.prompt,
                      "-n", options.new, "-r", 2, "--threads", item.threads,
                      "--activations", activations, "--json", *item.options])
    return [test["runs"] for test in result["tests"]]


def model(item, options, _):
    path = model_path(item.model)
    about = {"unit": "tokens/s", "file": path.name, "probes": probes(),
             **sizes(path)}
    phases = (f"prompt {options.prompt}", f"decode {options.new}")
    records = [{**about, "tenon": {"runs": []}, "tenon_f32": {"runs": []},
                "peers": {peer: {"runs": []} for peer in item.peers}}
               for _ in phases]
    activations = activations_of(item)
    for number in range(max(1, options.rounds - 1)):  # Each has two runs.
        kinds = [("tenon", activations)]
        if activations != "f32" and number == 0:
            kinds.append(("tenon_f32", "f32"))
        for key, kind in kinds:
            for record, runs in zip(records, tenon_model(item, path, options,
                                                         kind)):
                record[key]["runs"] += runs
                record[key]["activations"] = kind
        for peer in item.peers:
            peer_model(item, peer, path, options, records)
    return {f"{item.name}/{phase}": record
            for phase, record in zip(phases, records)}


def peer_model(item, peer, path, options, records):
    if "runs" not in records[0]["peers"][peer]:
        return
    try:
        if not packages.is_installed(peer):
            raise Unavailable(f"not installed: bench-peers --install {peer}")
        result = command([BENCH_LLAMA, path, "-p", options.prompt, "-n",
                          options.new, "-t", item.threads, "-r", 2, "--peer",
                          peer])
    except Unavailable as error:
        for record in records:
            record["peers"][peer] = {"error": str(error)}
        return
    for record, phase in zip(records, ("prompt", "decode")):
        record["peers"][peer]["runs"] += result[f"{phase}_runs"]
        record["peers"][peer]["system_info"] = result["system_info"]


def compiling(item, options, _):
    """Tenon alone: to a program that can run, and to the first token."""
    script = measure.ROOT / "scripts/bench-compile"
    result = command([script, "--repeats", options.rounds, "--no-save"])
    return {f"{item.name}/{prefix}{name}": {
        "unit": "s", "peers": {}, "tenon": {"runs": result[name][key]["runs"]}}
            for prefix, key in (("", "ready_s"), ("first_token_", "wall_s"))
            for name in ("cold", "cached")}


def run(item, options, workers):
    """Records by row of the table."""
    load = round(os.getloadavg()[0], 2)
    if item.model:
        workers.close()
        records = model(item, options, workers)
    elif item.program == "bench-compile":
        records = compiling(item, options, workers)
    else:
        records = kernel(item, options, workers)
    for record in records.values():
        record["load_average_before"] = load
        record["threads"] = item.threads
    return records
