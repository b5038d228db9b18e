"""A tiny Qwen3-MoE with seeded weights and linearly scaled rope: GGUF,
safetensors, float64 logits.

    qwen3moe.py        golden/tiny_qwen3moe

The forward is written from the architecture's description, in NumPy alone.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from golden.files import (from_bf16, to_bf16, write_gguf,  # noqa: E402
                          write_json, write_safetensors)

HERE = Path(__file__).resolve().parent
SEED, VOCAB, LAYERS, WIDTH, CONTEXT = 65, 96, 2, 64, 256
HEADS, KEY_HEADS, HEAD = 4, 2, 24  # heads are wider than width / heads
EXPERTS, CHOSEN, HIDDEN = 8, 3, 32
EPS, THETA, STRETCH = float(np.float32(1e-6)), 1e6, 4.0
HF = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe",
      "hidden_size": WIDTH, "intermediate_size": 96,
      "moe_intermediate_size": HIDDEN, "num_hidden_layers": LAYERS,
      "num_attention_heads": HEADS, "num_key_value_heads": KEY_HEADS,
      "head_dim": HEAD, "hidden_act": "silu", "rms_norm_eps": 1e-6,
      "rope_theta": THETA,
      "rope_scaling": {"rope_type": "linear", "factor": STRETCH}, "num_experts": EXPERTS,
      "num_experts_per_tok": CHOSEN, "norm_topk_prob": True,
      "decoder_sparse_step": 1, "mlp_only_layers": [],
      "max_position_embeddings": CONTEXT, "attention_bias": False,
      "use_sliding_window": False, "tie_word_embeddings": False,
      "bos_token_id": 0, "eos_token_id": 0, "vocab_size": VOCAB,
      "torch_dtype": "float32"}


def draw(random):
    """Weights by GGUF's name, with their name in safetensors."""
    made = {}

    def add(name, hf, *shape):
        if len(shape) > 1:
            x = random.normal(0, 1.6 / np.sqrt(shape[-1]), shape)
        else:
            x = 1 + random.integers(-48, 49, shape) / 64
        made[name + ".weight"] = (hf, from_bf16(to_bf16(x)))

    add("token_embd", "model.embed_tokens.weight", VOCAB, WIDTH)
    for i in range(LAYERS):
        b, h = f"blk.{i}.", f"model.layers.{i}."
        add(b + "attn_norm", h + "input_layernorm.weight", WIDTH)
        for n, rows in ("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS):
            add(b + f"attn_{n}", h + f"self_attn.{n}_proj.weight", rows * HEAD,
                WIDTH)
        for n in "qk":
            add(b + f"attn_{n}_norm", h + f"self_attn.{n}_norm.weight", HEAD)
        add(b + "attn_output", h + "self_attn.o_proj.weight", WIDTH,
            HEADS * HEAD)
        add(b + "ffn_norm", h + "post_attention_layernorm.weight", WIDTH)
        add(b + "ffn_gate_inp", h + "mlp.gate.weight", EXPERTS, WIDTH)
        for n, rows, columns in (("gate", HIDDEN, WIDTH), ("up", HIDDEN, WIDTH),
                                 ("down", WIDTH, HIDDEN)):
            add(b + f"ffn_{n}_exps", h + f"mlp.experts.#.{n}_proj.weight",
                EXPERTS, rows, columns)
    add("output_norm", "model.norm.weight", WIDTH)
    add("output", "lm_head.weight", VOCAB, WIDTH)
    return made


def norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * weight


def rope(x):
    """x [T, H, d]: elements j and j + d/2 turn together."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None] * THETA ** (-np.arange(half) / half)
    angle /= STRETCH  # linear scaling
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def softmax(x):
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def attention(w, b, x):
    T = len(x)
    q, k, v = ((x @ w[f"{b}attn_{n}.weight"].T).reshape(T, -1, HEAD)
               for n in "qkv")
    q = rope(norm(q, w[b + "attn_q_norm.weight"]))
    k = rope(norm(k, w[b + "attn_k_norm.weight"]))
    k, v = (np.repeat(a, HEADS // KEY_HEADS, axis=1) for a in (k, v))
    score = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(HEAD)
    later = np.arange(T)[:, None] < np.arange(T)
    p = softmax(np.where(later, -np.inf, score))
    y = np.einsum("hqk,khd->qhd", p, v).reshape(T, -1)
    return y @ w[b + "attn_output.weight"].T


def experts(w, b, x):
    """Token by token: the chosen experts, by scores that sum to 1."""
    scores = softmax(x @ w[b + "ffn_gate_inp.weight"].T)
    gate, up, down = (w[f"{b}ffn_{n}_exps.weight"]
                      for n in ("gate", "up", "down"))
    y = np.zeros_like(x)
    for t, row in enumerate(x):
        chosen = np.argsort(-scores[t], kind="stable")[:CHOSEN]
        share = scores[t][chosen] / scores[t][chosen].sum()
        for e, weight in zip(chosen, share):
            g = gate[e] @ row
            y[t] += weight * (down[e] @ (g / (1 + np.exp(-g)) * (up[e] @ row)))
    return y


def forward(w, tokens):
    x = w["token_embd.weight"][tokens]
    for i in range(LAYERS):
        b = f"blk.{i}."
        x = x + attention(w, b, norm(x, w[b + "attn_norm.weight"]))
        x = x + experts(w, b, norm(x, w[b + "ffn_norm.weight"]))
    return norm(x, w["output_norm.weight"]) @ w["output.weight"].T


def write_model(made, folder):
    writer = gguf.GGUFWriter(folder / "model.gguf", "qwen3moe")
    writer.add_name(folder.name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(96)
    writer.add_expert_feed_forward_length(HIDDEN)
    writer.add_expert_count(EXPERTS)
    writer.add_expert_used_count(CHOSEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_rope_freq_base(THETA)
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(STRETCH)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(VOCAB)
    for name, (_, x) in made.items():
        writer.add_tensor(name, x)
    write_gguf(writer)
    (folder / "config.json").write_text(json.dumps(HF, indent=2) + "\n")
    tensors = {}
    for hf, x in made.values():
        if "#" not in hf:
            tensors[hf] = x
            continue
        for e in range(EXPERTS):
            tensors[hf.replace("#", str(e))] = x[e].copy()
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})


def make():
    folder = HERE / "tiny_qwen3moe"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    made = draw(random)
    write_model(made, folder)
    weights = {name: x.astype(np.float64) for name, (_, x) in made.items()}
    cases, expected = [], {}
    for i, length in enumerate((3, 17, 40)):
        tokens = random.integers(0, VOCAB, length).tolist()
        cases.append({"tokens": tokens})
        expected[f"logits.{i}"] = forward(weights, tokens).astype(np.float32)
    write_json(folder / "cases.json", cases)
    write_safetensors(folder / "expected.safetensors", expected)


if __name__ == "__main__":
    make()
