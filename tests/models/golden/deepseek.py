"""Tiny DeepSeek-V2 and -V3 with seeded weights, as GGUF and as safetensors.

The float64 forward makes keys and values of every head and turns pairs as
complex numbers: it shares no form with the models it judges. Version 3 has a
further layer, which predicts the token after the next one.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

from golden.files import (from_bf16, to_bf16, write_gguf, write_json,
                          write_safetensors)

HERE = Path(__file__).resolve().parent
SEED = 64
LAYERS, WIDTH, HEADS, FFN, VOCAB, CONTEXT = 2, 64, 4, 96, 96, 640
DENSE, EXPERTS, CHOSEN, HIDDEN, SHARED = 1, 8, 3, 32, 2
GROUPS, KEPT = 4, 2  # experts of 2 of 4 groups take part
PLAIN, TURNED, VALUE, LATENT = 16, 8, 12, 32
EPS = float(np.float32(1e-6))
THETA = 1e4


@dataclass
class Tiny:
    """What the two differ in. Positions pass YaRN's `original` context."""

    folder: str
    hf: dict
    query_rank: int  # 0: queries are made of the input
    split: bool  # GGUF has the matrices of keys and values apart.
    factor: float
    original: int
    mscale: float
    is_v3: bool  # sigmoid scores, biases, two experts of each group, ...
    scale: float  # of the experts' weights
    further: int  # layers that predict a further token
    weights: dict = field(default_factory=dict)  # HF name -> float32


def tiny(folder, architecture, model_type, **differs):
    model = Tiny(folder, {}, **differs)
    model.hf = {
        "architectures": [architecture], "model_type": model_type,
        "hidden_size": WIDTH, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS, "q_lora_rank": model.query_rank or None,
        "kv_lora_rank": LATENT, "qk_nope_head_dim": PLAIN,
        "qk_rope_head_dim": TURNED, "v_head_dim": VALUE, "hidden_act": "silu",
        "n_routed_experts": EXPERTS, "first_k_dense_replace": DENSE,
        "num_experts_per_tok": CHOSEN, "moe_intermediate_size": HIDDEN,
        "n_shared_experts": SHARED, "n_group": GROUPS, "topk_group": KEPT,
        "norm_topk_prob": model.is_v3, "routed_scaling_factor": model.scale,
        "scoring_func": "sigmoid" if model.is_v3 else "softmax",
        "topk_method": "noaux_tc" if model.is_v3 else "group_limited_greedy",
        "moe_layer_freq": 1,
        "rms_norm_eps": 1e-6, "rope_theta": THETA, "rope_scaling": {
            "type": "yarn", "factor": model.factor, "beta_fast": 32,
            "beta_slow": 1, "mscale": model.mscale,
            "mscale_all_dim": model.mscale,
            "original_max_position_embeddings": model.original},
        "max_position_embeddings": CONTEXT, "attention_bias": False,
        "tie_word_embeddings": False, "bos_token_id": 0, "eos_token_id": 1,
        "vocab_size": VOCAB, "torch_dtype": "float32"}
    if model.further:
        model.hf["num_nextn_predict_layers"] = model.further
    return model


def add_feed_forward(add, part, hidden):
    add(part + "gate_proj", hidden, WIDTH)
    add(part + "up_proj", hidden, WIDTH)
    add(part + "down_proj", WIDTH, hidden)


def adder(model, random):
    def add(name, *shape):
        if len(shape) == 2:  # Wide enough for attention to be far from flat.
            x = random.normal(0, 1.6 / np.sqrt(shape[1]), shape)
        else:
            x = 1 + random.integers(-48, 49, shape) / 64
        model.weights[name + ".weight"] = from_bf16(to_bf16(x))

    return add


def draw_layer(model, random, i):
    add = adder(model, random)
    heads = HEADS * (PLAIN + TURNED)
    p = f"model.layers.{i}."
    add(p + "input_layernorm", WIDTH)
    if model.query_rank:
        add(p + "self_attn.q_a_proj", model.query_rank, WIDTH)
        add(p + "self_attn.q_a_layernorm", model.query_rank)
        add(p + "self_attn.q_b_proj", heads, model.query_rank)
    else:
        add(p + "self_attn.q_proj", heads, WIDTH)
    add(p + "self_attn.kv_a_proj_with_mqa", LATENT + TURNED, WIDTH)
    add(p + "self_attn.kv_a_layernorm", LATENT)
    add(p + "self_attn.kv_b_proj", HEADS * (PLAIN + VALUE), LATENT)
    add(p + "self_attn.o_proj", WIDTH, HEADS * VALUE)
    add(p + "post_attention_layernorm", WIDTH)
    if i < DENSE:
        add_feed_forward(add, p + "mlp.", FFN)
        return
    add(p + "mlp.gate", EXPERTS, WIDTH)
    if model.is_v3:
        bias = random.integers(-16, 17, EXPERTS) / 64
        model.weights[p + "mlp.gate.e_score_correction_bias"] = (
            bias.astype(np.float32))
    for e in range(EXPERTS):
        add_feed_forward(add, p + f"mlp.experts.{e}.", HIDDEN)
    add_feed_forward(add, p + "mlp.shared_experts.", SHARED * HIDDEN)


def draw(model, random):
    add = adder(model, random)
    add("model.embed_tokens", VOCAB, WIDTH)
    for i in range(LAYERS):
        draw_layer(model, random, i)
    add("model.norm", WIDTH)
    add("lm_head", VOCAB, WIDTH)


def draw_further(model, random):
    """Embedding and head are the model's own, a second time."""
    add = adder(model, random)
    p = f"model.layers.{LAYERS}."
    draw_layer(model, random, LAYERS)
    add(p + "enorm", WIDTH)
    add(p + "hnorm", WIDTH)
    add(p + "eh_proj", WIDTH, 2 * WIDTH)
    add(p + "shared_head.norm", WIDTH)
    for own, shared in ("embed_tokens", "model.embed_tokens"), (
            "shared_head.head", "lm_head"):
        model.weights[p + own + ".weight"] = model.weights[shared + ".weight"]


# ----------------------------------------------------------------------------
# The reference
# ----------------------------------------------------------------------------

def rms_norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * weight


def yarn_frequencies(model):
    """Slow pairs turn `factor` times slower, fast ones as they did."""
    pairs = np.arange(TURNED // 2)
    fast = THETA ** (-2.0 * pairs / TURNED)

    def pair_of(turns):
        return TURNED * np.log(model.original / (2 * np.pi * turns)) / (
            2 * np.log(THETA))

    low = max(np.floor(pair_of(32)), 0)
    high = min(np.ceil(pair_of(1)), TURNED - 1)
    if low == high:
        high += 0.001
    ramp = np.clip((pairs - low) / (high - low), 0, 1)
    return fast / model.factor * ramp + fast * (1 - ramp)


def turn(x, frequencies):
    """x: [T, H, R], neighbours as real and imaginary parts."""
    angles = np.arange(len(x))[:, None] * frequencies
    z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)[:, None]
    return np.stack([z.real, z.imag], -1).reshape(x.shape)


def attention(model, w, x):
    count = len(x)
    linear = lambda name, a: a @ w(f"self_attn.{name}").T
    if model.query_rank:
        q = linear("q_b_proj", rms_norm(linear("q_a_proj", x),
                                        w("self_attn.q_a_layernorm")))
    else:
        q = linear("q_proj", x)
    q = q.reshape(count, HEADS, -1)
    down = linear("kv_a_proj_with_mqa", x)
    latent = rms_norm(down[:, :LATENT], w("self_attn.kv_a_layernorm"))
    up = linear("kv_b_proj", latent).reshape(count, HEADS, PLAIN + VALUE)
    frequencies = yarn_frequencies(model)
    q_turned = turn(q[..., PLAIN:], frequencies)
    k_turned = turn(down[:, None, LATENT:], frequencies)[:, 0]
    magnitude = 0.1 * model.mscale * np.log(model.factor) + 1
    score = np.einsum("qhd,khd->hqk", q[..., :PLAIN], up[..., :PLAIN])
    score += np.einsum("qhd,kd->hqk", q_turned, k_turned)
    score *= magnitude**2 / np.sqrt(PLAIN + TURNED)
    hidden = np.arange(count)[:, None] < np.arange(count)
    score = np.where(hidden, -np.inf, score)
    p = np.exp(score - score.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    y = np.einsum("hqk,khd->qhd", p, up[..., PLAIN:])
    return linear("o_proj", y.reshape(count, -1))


def feed_forward(w, part, x):
    gate = x @ w(part + "gate_proj").T
    return (gate / (1 + np.exp(-gate)) * (x @ w(part + "up_proj").T)) @ w(
        part + "down_proj").T


def chosen_experts(model, scores, bias):
    """Of one token: groups first, then experts of those that are kept."""
    choice = (scores + bias).reshape(GROUPS, -1)
    best = np.sort(choice, -1)[:, ::-1]
    group = best[:, :2].sum(-1) if model.is_v3 else best[:, 0]
    kept = np.argsort(-group, kind="stable")[:KEPT]
    masked = np.full_like(choice, -np.inf)
    masked[kept] = choice[kept]
    return np.argsort(-masked.reshape(-1), kind="stable")[:CHOSEN]


def experts(model, w, bias, x):
    logits = x @ w("mlp.gate").T
    if model.is_v3:
        scores = 1 / (1 + np.exp(-logits))
    else:
        scores = np.exp(logits - logits.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
    y = feed_forward(w, "mlp.shared_experts.", x)
    for t in range(len(x)):
        chosen = chosen_experts(model, scores[t], bias)
        weights = scores[t][chosen]
        if model.is_v3:
            weights = weights / (weights.sum() + 1e-20)
        for e, weight in zip(chosen, weights * model.scale):
            y[t] += weight * feed_forward(w, f"mlp.experts.{e}.", x[t])
    return y


def layer(model, i, x):
    get = lambda name: model.weights[name + ".weight"].astype(np.float64)
    w = lambda name: get(f"model.layers.{i}.{name}")
    x = x + attention(model, w, rms_norm(x, w("input_layernorm")))
    h = rms_norm(x, w("post_attention_layernorm"))
    if i < DENSE:
        return x + feed_forward(w, "mlp.", h)
    bias = model.weights.get(
        f"model.layers.{i}.mlp.gate.e_score_correction_bias", 0.0)
    return x + experts(model, w, bias, h)


def states(model, tokens):
    """What the logits of every token are made of, in float64."""
    get = lambda name: model.weights[name + ".weight"].astype(np.float64)
    x = get("model.embed_tokens")[tokens]
    for i in range(LAYERS):
        x = layer(model, i, x)
    return rms_norm(x, get("model.norm"))


def forward(model, tokens):
    """The float64 logits of every token."""
    return states(model, tokens) @ model.weights["lm_head.weight"].astype(
        np.float64).T


def forward_further(model, tokens, given):
    """States and logits of the further layer, of `given` [T, WIDTH] and the
    tokens after those that it is of."""
    w = lambda name: model.weights[
        f"model.layers.{LAYERS}.{name}.weight"].astype(np.float64)
    both = np.concatenate([rms_norm(w("embed_tokens")[tokens], w("enorm")),
                           rms_norm(given, w("hnorm"))], -1)
    x = rms_norm(layer(model, LAYERS, both @ w("eh_proj").T),
                 w("shared_head.norm"))
    return x, x @ w("shared_head.head").T


def expected_further(model, tokens):
    """Logits [T - 1, VOCAB] after each token and the next; and [VOCAB], of the
    last, where its state is the layer's own of the one before."""
    given = states(model, tokens)[:-1]
    own, logits = forward_further(model, tokens[1:], given)
    chained = np.concatenate([given[:-1], own[-2:-1]])
    return logits, forward_further(model, tokens[1:], chained)[1][-1]


# ----------------------------------------------------------------------------
# Files
# ----------------------------------------------------------------------------

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q",
         "self_attn.q_a_proj": "attn_q_a", "self_attn.q_b_proj": "attn_q_b",
         "self_attn.q_a_layernorm": "attn_q_a_norm",
         "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
         "self_attn.kv_a_layernorm": "attn_kv_a_norm",
         "self_attn.kv_b_proj": "attn_kv_b", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
         "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
         "mlp.gate": "ffn_gate_inp",
         "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
         "mlp.shared_experts.up_proj": "ffn_up_shexp",
         "mlp.shared_experts.down_proj": "ffn_down_shexp",
         "enorm": "nextn.enorm", "hnorm": "nextn.hnorm",
         "eh_proj": "nextn.eh_proj", "embed_tokens": "nextn.embed_tokens",
         "shared_head.norm": "nextn.shared_head_norm",
         "shared_head.head": "nextn.shared_head_head"}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm",
         "lm_head": "output"}


def gguf_tensors(model):
    """Keys' matrices are transposed where they are apart from the values'."""
    for name, x in model.weights.items():
        name = name.removesuffix(".weight")
        if name in OUTER:
            yield OUTER[name] + ".weight", x
            continue
        layer, part = name.removeprefix("model.layers.").split(".", 1)
        if part == "mlp.gate.e_score_correction_bias":
            yield f"blk.{layer}.exp_probs_b.bias", x
            continue
        if part.startswith("mlp.experts."):
            _, _, expert, kind = part.split(".")
            if expert == "0":
                kind = kind.removesuffix("_proj")
                yield f"blk.{layer}.ffn_{kind}_exps.weight", np.stack([
                    model.weights[name.replace("experts.0.", f"experts.{e}.")
                                  + ".weight"] for e in range(EXPERTS)])
            continue
        if part == "self_attn.kv_b_proj" and model.split:
            heads = x.reshape(HEADS, PLAIN + VALUE, LATENT)
            keys = np.ascontiguousarray(heads[:, :PLAIN].swapaxes(1, 2))
            yield f"blk.{layer}.attn_k_b.weight", keys
            yield f"blk.{layer}.attn_v_b.weight", heads[:, PLAIN:].copy()
            continue
        yield f"blk.{layer}.{NAMES[part]}.weight", x


def write_model(model, folder):
    writer = gguf.GGUFWriter(folder / "model.gguf", "deepseek2")
    writer.add_name(folder.name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS + model.further)
    if model.further:
        writer.add_nextn_predict_layers(model.further)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1 if model.split else HEADS)
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_rope_freq_base(THETA)
    writer.add_leading_dense_block_count(DENSE)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(CHOSEN)
    writer.add_expert_feed_forward_length(HIDDEN)
    writer.add_expert_shared_count(SHARED)
    writer.add_expert_group_count(GROUPS)
    writer.add_expert_group_used_count(KEPT)
    writer.add_expert_weights_scale(model.scale)
    writer.add_expert_weights_norm(model.is_v3)
    writer.add_expert_gating_func(
        gguf.ExpertGatingFuncType.SIGMOID if model.is_v3
        else gguf.ExpertGatingFuncType.SOFTMAX)
    if model.query_rank:
        writer.add_q_lora_rank(model.query_rank)
    writer.add_kv_lora_rank(LATENT)
    if model.split:
        writer.add_key_length(LATENT + TURNED)
        writer.add_value_length(LATENT)
        writer.add_key_length_mla(PLAIN + TURNED)
        writer.add_value_length_mla(VALUE)
    else:
        writer.add_key_length(PLAIN + TURNED)
        writer.add_value_length(VALUE)
    writer.add_rope_dimension_count(TURNED)
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(model.factor)
    writer.add_rope_scaling_orig_ctx_len(model.original)
    writer.add_rope_scaling_yarn_log_mul(0.1 * model.mscale)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(VOCAB)
    for name, x in gguf_tensors(model):
        writer.add_tensor(name, x)
    write_gguf(writer)
    (folder / "config.json").write_text(json.dumps(model.hf, indent=2) + "\n")
    write_safetensors(folder / "model.safetensors", model.weights,
                      {"format": "pt"})


def make_tiny(model):
    folder = HERE / model.folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    draw(model, random)
    if model.further:
        draw_further(model, np.random.default_rng(SEED + 1))
    write_model(model, folder)
    cases, expected = [], {}
    for i, length in enumerate((3, 17, 40)):
        tokens = random.integers(0, VOCAB, length).tolist()
        exact = forward(model, tokens)
        cases.append({"tokens": tokens})
        expected[f"logits.{i}"] = exact.astype(np.float32)
        if model.further:
            further, chained = expected_further(model, tokens)
            expected[f"further.{i}"] = further.astype(np.float32)
            expected[f"chained.{i}"] = chained.astype(np.float32)
        print(json.dumps({"model": folder.name, "tokens": length,
                          "max_abs": abs(exact).max()}))
    write_json(folder / "cases.json", cases)
    write_safetensors(folder / "expected.safetensors", expected)


def make():
    make_tiny(tiny("tiny_deepseek2", "DeepseekV2ForCausalLM", "deepseek_v2",
                   query_rank=0, split=True, factor=40.0, original=16,
                   mscale=0.707, is_v3=False, scale=1.5, further=0))
    make_tiny(tiny("tiny_deepseek3", "DeepseekV3ForCausalLM", "deepseek_v3",
                   query_rank=48, split=False, factor=4.0, original=160,
                   mscale=1.0, is_v3=True, scale=2.5, further=1))
