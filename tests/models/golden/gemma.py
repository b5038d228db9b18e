"""Gemma 3 270M: what llama.cpp predicts, quantised and dequantised."""

import json
import os
from pathlib import Path

import gguf
import numpy as np

from golden.files import dequantised_copy, write_json, write_safetensors
from golden.reference import (Config, forward, greedy, llama_logits,
                              open_llama)

HERE = Path(__file__).resolve().parent
SEED = 270
NEW_TOKENS = 48
TOP = 64
TAIL_SAMPLES = 128
PROBES = 256


def log_softmax(logits):
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def sorted_ids(logits, count):
    """The `count` largest, descending; equal values by rising id."""
    return np.argsort(-logits, kind="stable", axis=-1)[..., :count]


def argmax_and_gap(logits):
    ids = sorted_ids(logits, 2)
    top = np.take_along_axis(logits, ids, -1)
    return ids[:, 0].astype(np.int32), (top[:, 0] - top[:, 1])


def quant_record(logits, random):
    """Enough of softmax(logits) to estimate KL(it || another)."""
    logp = log_softmax(logits)
    ids = sorted_ids(logits, TOP)
    tail = np.exp(logp)
    np.put_along_axis(tail, ids, 0, -1)
    mass = tail.sum(-1)
    samples = np.stack([random.choice(len(p), TAIL_SAMPLES, p=p / p.sum())
                        for p in tail])
    argmax, gap = argmax_and_gap(logits)
    return {"argmax": argmax, "gap": gap,
            "top_ids": ids, "top_logprobs": np.take_along_axis(logp, ids, -1),
            "tail_logprob": np.log(mass), "tail_ids": samples,
            "tail_logprobs": np.take_along_axis(logp, samples, -1)}


def kl_estimate(record, logits):
    """KL(recorded || softmax(logits)): the formula of golden/README.md."""
    logq = log_softmax(logits)
    top = np.take_along_axis(logq, record["top_ids"], -1)
    p = np.exp(record["top_logprobs"])
    head = (p * (record["top_logprobs"] - top)).sum(-1)
    log_r = (np.take_along_axis(logq, record["tail_ids"], -1)
             - record["tail_logprobs"])
    mass = np.exp(record["tail_logprob"])
    other = 1 - np.exp(top).sum(-1)
    return head + mass * (np.expm1(log_r) - log_r).mean(-1) + mass - other


def kl(a, b):
    loga = log_softmax(a)
    return (np.exp(loga) * (loga - log_softmax(b))).sum(-1)


def logit_record(logits, top_ids, probe_ids):
    argmax, gap = argmax_and_gap(logits)
    return {"argmax": argmax, "gap": gap,
            "top_logits": np.take_along_axis(logits, top_ids, -1),
            "probe_logits": logits[:, probe_ids],
            "max_abs": abs(logits).max(-1),
            "l2": np.sqrt((logits * logits).sum(-1))}


def as_float64(path):
    """Returns w(name) over a GGUF of F32 tensors; keeps what it converts."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    kept = {}

    def get(name):
        if name not in kept:
            shape = tuple(reversed([int(n) for n in tensors[name].shape]))
            kept[name] = tensors[name].data.reshape(shape).astype(np.float64)
        return kept[name]

    return get


def continue_texts(model, texts):
    """Returns each text's tokens and continuation, and the steps' logits."""
    llama = open_llama(model, 704)
    prompts, steps = [], []
    for item in texts:
        tokens = llama.tokenize(item["text"].encode(), add_bos=True)
        new, logits = greedy(llama, tokens, NEW_TOKENS)
        prompts.append({"name": item["name"], "prompt": tokens,
                        "continuation": new})
        steps.append(logits)
    llama.close()
    return prompts, steps


def teacher_forced(item):
    """All tokens but the last, and the position that predicts the first."""
    return item["prompt"] + item["continuation"][:-1], len(item["prompt"]) - 1


def run_llama(path, prompts, exact_gelu=False):
    """Returns the logits that predict the continuations, per prompt."""
    llama = open_llama(path, 704, exact_gelu)
    result = [llama_logits(llama, *teacher_forced(p)) for p in prompts]
    llama.close()
    return result


def make(model, f32_path):
    if not os.path.exists(f32_path):
        dequantised_copy(model, f32_path)
    texts = json.loads((HERE / "prompts.json").read_text(encoding="utf-8"))
    prompts, steps = continue_texts(model, texts)
    quant = run_llama(model, prompts)
    plain = run_llama(f32_path, prompts)
    checks = run_llama(f32_path, prompts, exact_gelu=True)
    config = Config(layers=18, width=640, heads=4, kv_heads=1, head_dim=256,
                    gemma=True, pattern=6, window=512, theta=1e6)
    weights = as_float64(f32_path)
    random = np.random.default_rng(SEED)
    probes = np.sort(random.choice(quant[0].shape[1], PROBES, replace=False))
    rows = []
    for i, item in enumerate(prompts):
        exact = forward(config, weights, *teacher_forced(item))
        rows.append(position_records(quant[i], plain[i], exact, probes, random))
        rows[-1]["quant.max_abs_diff_steps"] = abs(quant[i] - steps[i]).max(-1)
        rows[-1]["quant.kl_steps"] = kl(quant[i], steps[i])
        rows[-1]["quant.argmax_steps"] = np.array(item["continuation"])
        report(item, rows[-1], (quant[i], plain[i], exact, checks[i]))
    arrays = {name: np.stack([r[name] for r in rows]) for name in rows[0]}
    arrays["probe_ids"] = probes
    write_safetensors(HERE / "gemma3-270m.safetensors", {
        name: x.astype(np.int32 if x.dtype.kind == "i" else np.float32)
        for name, x in arrays.items()})
    write_json(HERE / "gemma3-270m.json", prompts)
    summarise(arrays)


def position_records(quant, plain, exact, probes, random):
    """All that is stored of one prompt; `plain` is llama.cpp on F32."""
    top = sorted_ids(plain, TOP)
    row = {f"quant.{k}": v for k, v in quant_record(quant, random).items()}
    row["quant.max_abs_diff_f32"] = abs(quant - plain).max(-1)
    row["quant.kl_f32"] = kl(quant, plain)
    row["f32.top_ids"] = top
    for name, x in ("f32", plain), ("exact", exact):
        record = logit_record(x, top, probes)
        row.update({f"{name}.{k}": v for k, v in record.items()})
    row["f32.max_abs_diff_exact"] = abs(plain - exact).max(-1)
    return row


def report(item, row, runs):
    quant, plain, exact, check = runs
    record = {k[6:]: v for k, v in row.items() if k.startswith("quant.")}
    relative = lambda a, b: (abs(a - b).max(-1) / abs(b).max(-1)).max()
    print(json.dumps({
        "prompt": item["name"], "tokens": len(item["prompt"]),
        "kl_quant_steps": record["kl_steps"].mean(),
        "quant_vs_f32": relative(quant, plain),
        "f32_vs_exact": relative(plain, exact),
        "f32_with_exact_gelu_vs_exact": relative(check, exact),
        "kl_quant_f32": kl(quant, plain).mean(),
        "kl_quant_f32_estimated": kl_estimate(record, plain).mean(),
        "kl_quant_exact": kl(quant, exact).mean(),
        "kl_f32_exact": kl(plain, exact).mean()}), flush=True)


def summarise(arrays):
    gaps = arrays["quant.gap"]
    summary = {"positions": gaps.size}
    for name in "quant.kl_f32", "quant.kl_steps":
        x = arrays[name]
        summary[name] = {"mean": x.mean(), "median": np.median(x),
                         "max": x.max()}
    for name in ("quant.max_abs_diff_f32", "quant.max_abs_diff_steps",
                 "f32.max_abs_diff_exact"):
        summary[name] = arrays[name].max()
    for a, b in (("quant.argmax", "f32.argmax"),
                 ("quant.argmax", "quant.argmax_steps"),
                 ("f32.argmax", "exact.argmax")):
        differs = arrays[a] != arrays[b]
        gap = arrays[a.split(".")[0] + ".gap"]
        summary[f"{a} differs from {b}"] = {
            "positions": int(differs.sum()),
            "largest_gap": gap[differs].max(initial=0)}
    summary["positions_with_gap_below"] = {
        x: int((gaps < x).sum()) for x in (0.05, 0.1, 0.25, 0.5, 1)}
    summary["mean_tail_mass"] = np.exp(arrays["quant.tail_logprob"]).mean()
    print(json.dumps(summary, indent=1))
