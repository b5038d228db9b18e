"""What Tenon and its peers are compared at, and the figures to reach.

An item is a piece of work that is measured together: one kernel, or one model,
whose prompt and decoding are two rows of the table.
"""

import dataclasses

SQUARES = [(size, size, size) for size in (512, 1024, 2048, 4096)]
PANELS = [(m, n, 1024) for m in (1, 16, 128, 512) for n in (4096, 2816)]
PEERS_OF = {"f32": ("onednn", "torch", "numpy", "jax", "openvino",
                    "onnxruntime", "iree"),
            "bf16": ("onednn", "torch", "jax", "openvino"),
            "int8": ("onednn", "onnxruntime")}
# Names of Tenon's benchmarks of a type, the first that there is.
TYPES = {"f32": ("f32",), "bf16": ("bf16_by_bf16", "bf16"),
         "int8": ("int8_by_int8", "i8_by_i8", "int8", "i8", "s8")}
MODEL_TYPES = ("q4_k", "q4_0", "q8_0", "bf16")


@dataclasses.dataclass
class Target:
    """At least these; 0 asks for nothing."""

    roof: float = 0  # part of the machine's limit
    ratio: float = 0  # times the best peer, or this one
    against: str = ""
    either: bool = False  # one of the two is enough
    most: float = 0  # at most these seconds


# Until a program is ready to run, and until the first token.
COMPILE_TARGETS = {"cold": Target(most=2), "cached": Target(most=0.1),
                   "first_token_cold": Target(),
                   "first_token_cached": Target()}


@dataclasses.dataclass
class Item:
    name: str
    group: str
    target: Target
    threads: int
    request: dict = None  # of the peers' kernels
    program: str = ""  # Tenon's benchmark program
    benchmarks: tuple = ()  # its benchmarks, as patterns, the first there is
    peers: tuple = ()
    model: str = ""
    options: tuple = ()  # of tenon bench
    decode_target: Target = None  # of a model; `target` is its prompt's
    is_quick: bool = False  # is it in --quick?


def matmul_target(type, m, n, k, threads):
    if type == "f32" and m == n == k:
        return Target(roof=0.95 if threads == 1 else 0.9, ratio=0.98)
    if type == "f32":  # 1.0 in the geometric mean: see `report`.
        return Target(ratio=0.9)
    return Target(roof=0.9, ratio=0.98, against="onednn")


def matmuls(type):
    for m, n, k in SQUARES + PANELS:
        if type != "f32" and m < 128:
            continue
        for threads in (1, 2):
            shape = f"m:{m}/n:{n}/k:{k}/threads:{threads}"
            peers = PEERS_OF[type]
            if m == 4096:  # Seconds each; these are no match there.
                peers = tuple(peer for peer in peers
                              if peer not in ("openvino", "onnxruntime", "iree"))
            yield Item(
                f"matmul/{type}/{shape}", f"matmul {type}",
                matmul_target(type, m, n, k, threads), threads,
                {"work": "matmul", "type": type, "m": m, "n": n, "k": k},
                "matmul", tuple(f"matmul/{name}/{shape}(/.*)?"
                                for name in TYPES[type]),
                peers, is_quick=(m, n) in ((512, 512), (128, 2816)))


def rows():
    for kind in ("softmax", "rms_norm", "gate"):
        for count, columns, threads in ((8192, 2048, 1), (8192, 2048, 2),
                                        (1, 2048, 1), (1, 7168, 1)):
            shape = f"rows:{count}/columns:{columns}/threads:{threads}"
            target = Target(ratio=1.5) if count == 1 else Target(roof=0.85)
            yield Item(
                f"rows/{kind}/{shape}", "rows", target, threads,
                {"work": "rows", "kind": kind, "rows": count,
                 "columns": columns},
                "rows", (f"rows/{kind}/{shape}(/.*)?",),
                ("torch", "jax", *["onnxruntime"] * (kind == "softmax")),
                is_quick=columns == 7168)


def prologues():
    """A product of normalised rows: the product alone over it, by time."""
    for type in ("f32", "q4_k_by_q8_0"):
        for m in (1, 16, 512):
            for threads in (1, 2):
                shape = f"m:{m}/n:4096/k:2048/threads:{threads}"
                yield Item(f"norm_prologue/{type}/{shape}", "rows",
                           Target(roof=1 / 1.05), threads, None, "matmul",
                           (f"normed/{type}/{shape}(/.*)?",),
                           is_quick=m == 16)


def attention():
    for threads in (1, 2):
        yield Item(
            f"attention/prefill_4096/threads:{threads}", "attention",
            Target(roof=0.75), threads,
            {"work": "attention", "length": 4096, "width": 128}, "attention",
            (f"attend/prefill_4096/threads:{threads}(/.*)?",),
            ("torch", "jax"), is_quick=threads == 1)


def fork_join():
    yield Item("fork_join/threads:2", "threads", Target(most=3e-6), 2, None,
               "fork_join", ("forkJoin/threads:2(/.*)?",), is_quick=True)


def models():
    """Prefill: a ratio; decoding: a ratio or the bandwidth."""
    for type in MODEL_TYPES:
        ratio = 1.1 if type.startswith("q4") else 1.0
        yield Item(f"model/llama11/{type}", "models",
                   Target(ratio=1.25 if type == "bf16" else 1.5), 2,
                   peers=("llama", "ik"), model=f"llama11-{type}",
                   decode_target=Target(ratio=ratio, roof=0.85, either=True))
        yield Item(f"model/dsv2small/{type}", "models", Target(ratio=1.3), 2,
                   peers=("llama", "ik"), model=f"dsv2small-{type}",
                   # Contexts are short here.
                   options=("--latent-attention", "materialised"),
                   decode_target=Target(ratio=1.1, roof=0.85, either=True))
    yield Item("model/gemma3-270m/q4_k_m", "models", Target(ratio=1.5), 2,
               peers=("llama", "ik"), model="gemma3-270m",
               decode_target=Target(ratio=1.2, roof=0.85, either=True),
               is_quick=True)


def compiling():
    yield Item("compile/gemma3-270m", "compile", COMPILE_TARGETS["cold"], 2,
               program="bench-compile", is_quick=True)


def items():
    return [*matmuls("f32"), *matmuls("bf16"), *matmuls("int8"), *rows(),
            *prologues(), *attention(), *fork_join(), *models(), *compiling()]
