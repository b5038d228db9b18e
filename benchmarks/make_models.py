#!/usr/bin/env python3
"""Writes GGUF models of realistic shape with random weights, to time.

    make_models.py SHAPE OUT.gguf [--type f16|bf16|q8_0|q4_0]

Shapes:
  qwen05     like Qwen2.5-0.5B: 24 layers of 896, vocabulary 151936, tied
  llama11    like TinyLlama-1.1B: 22 layers of 2048, 32/4 heads, vocabulary
             32000
  dsv2small  like DeepSeek-V2-Lite, reduced: 12 layers of 1024, MLA, 64
             experts, 6 of them for a token, and 2 shared

K-quants are made from the f16 file by llama.cpp's own quantiser. Needs the
packages `gguf` and `numpy`: `scripts/bench-peers --install llama` has them. No
vocabulary is written: time with token ids.
"""

import argparse
from dataclasses import dataclass

import gguf
import numpy as np

POOL = np.random.default_rng(1).standard_normal(1 << 24, np.float32) * 0.02
KINDS = gguf.GGMLQuantizationType
TYPES = {"f16": KINDS.F16, "bf16": KINDS.BF16, "q8_0": KINDS.Q8_0,
         "q4_0": KINDS.Q4_0}


@dataclass
class Shape:
    """A dense decoder: Llama's or Qwen2's."""

    architecture: str
    width: int
    layers: int
    ffn: int
    heads: int
    kv_heads: int
    vocabulary: int
    theta: float
    is_tied: bool  # The head is the embedding.
    has_bias: bool  # Of queries, keys and values.


DENSE = {
    "qwen05": Shape("qwen2", 896, 24, 4864, 14, 2, 151936, 1e6, True, True),
    "llama11": Shape("llama", 2048, 22, 5632, 32, 4, 32000, 1e4, False, False),
}


class Writer:
    """Fills tensors from a pool of normal numbers of deviation 0.02."""

    def __init__(self, out, architecture, kind):
        self.gguf = gguf.GGUFWriter(out, architecture)
        self.kind, self.count = TYPES[kind], 0

    def matrix(self, name, *shape):
        offset = (self.count * 7919 * 13) % (1 << 20)
        self.count += 1
        data = np.resize(np.roll(POOL, -offset), int(np.prod(shape)))
        kind = self.kind if shape[-1] % 32 == 0 else KINDS.F16
        self.gguf.add_tensor(
            name, gguf.quants.quantize(data.reshape(shape), kind),
            raw_dtype=kind)

    def ones(self, name, size):
        self.gguf.add_tensor(name, np.ones(size, np.float32))

    def noise(self, name, *shape):
        """In f32, whatever the type of matrices: biases, routers."""
        data = POOL[:int(np.prod(shape))].reshape(shape).copy()
        self.gguf.add_tensor(name, data)

    def header(self, name, shape):
        g = self.gguf
        g.add_name(name)
        g.add_context_length(4096)
        g.add_embedding_length(shape.width)
        g.add_block_count(shape.layers)
        g.add_feed_forward_length(shape.ffn)
        g.add_head_count(shape.heads)
        g.add_head_count_kv(shape.kv_heads)
        g.add_layer_norm_rms_eps(1e-6)
        g.add_rope_freq_base(shape.theta)
        g.add_vocab_size(shape.vocabulary)
        g.add_file_type(1)
        g.add_tokenizer_model("no_vocab")
        g.add_quantization_version(2)

    def close(self):
        self.gguf.write_header_to_file()
        self.gguf.write_kv_data_to_file()
        self.gguf.write_tensors_to_file()
        self.gguf.close()


def dense(out, kind, name):
    shape = DENSE[name]
    width, ffn, head = shape.width, shape.ffn, shape.width // shape.heads
    q, kv = shape.heads * head, shape.kv_heads * head
    w = Writer(out, shape.architecture, kind)
    w.header(name, shape)
    if shape.architecture == "llama":
        w.gguf.add_rope_dimension_count(head)
    w.matrix("token_embd.weight", shape.vocabulary, width)
    w.ones("output_norm.weight", width)
    if not shape.is_tied:
        w.matrix("output.weight", shape.vocabulary, width)
    parts = (("attn_q", q, width), ("attn_k", kv, width),
             ("attn_v", kv, width), ("attn_output", width, q),
             ("ffn_gate", ffn, width), ("ffn_up", ffn, width),
             ("ffn_down", width, ffn))
    for layer in range(shape.layers):
        p = f"blk.{layer}."
        w.ones(p + "attn_norm.weight", width)
        w.ones(p + "ffn_norm.weight", width)
        for part, rows, columns in parts:
            w.matrix(f"{p}{part}.weight", rows, columns)
            if shape.has_bias and part in ("attn_q", "attn_k", "attn_v"):
                w.noise(f"{p}{part}.bias", rows)
    w.close()


# DeepSeek's own sizes, beside those of its Shape.
EXPERTS, TOP, SHARED, EXPERT_FFN = 64, 6, 2, 704
Q_RANK, KV_RANK, ROPE, NOPE, VALUE = 512, 512, 64, 128, 128


def deepseek_header(w, shape):
    g = w.gguf
    w.header("dsv2small", shape)
    for key, number in (("leading_dense_block_count", 1),
                        ("attention.q_lora_rank", Q_RANK),
                        ("attention.kv_lora_rank", KV_RANK),
                        ("attention.key_length_mla", NOPE + ROPE),
                        ("attention.value_length_mla", VALUE),
                        ("expert_feed_forward_length", EXPERT_FFN),
                        ("expert_shared_count", SHARED),
                        ("expert_gating_func", 2)):
        g.add_uint32("deepseek2." + key, number)
    g.add_key_length(KV_RANK + ROPE)
    g.add_value_length(KV_RANK)
    g.add_expert_count(EXPERTS)
    g.add_expert_used_count(TOP)
    g.add_float32("deepseek2.expert_weights_scale", 2.5)
    g.add_bool("deepseek2.expert_weights_norm", True)
    g.add_rope_dimension_count(ROPE)


def deepseek_attention(w, p, shape):
    width, heads = shape.width, shape.heads
    for part, size in (("attn_norm", width), ("ffn_norm", width),
                       ("attn_q_a_norm", Q_RANK), ("attn_kv_a_norm", KV_RANK)):
        w.ones(f"{p}{part}.weight", size)
    w.matrix(p + "attn_q_a.weight", Q_RANK, width)
    w.matrix(p + "attn_q_b.weight", heads * (NOPE + ROPE), Q_RANK)
    w.matrix(p + "attn_kv_a_mqa.weight", KV_RANK + ROPE, width)
    w.matrix(p + "attn_k_b.weight", heads, KV_RANK, NOPE)
    w.matrix(p + "attn_v_b.weight", heads, VALUE, KV_RANK)
    w.matrix(p + "attn_output.weight", width, heads * VALUE)


def gated(w, name, ffn, width, *experts):
    """`name` has a * for the part's name."""
    for part, rows, columns in (("gate", ffn, width), ("up", ffn, width),
                                ("down", width, ffn)):
        w.matrix(name.replace("*", part), *experts, rows, columns)


def deepseek(out, kind):
    shape = Shape("deepseek2", 1024, 12, 2816, 8, 1, 32000, 1e4, False, False)
    width = shape.width
    w = Writer(out, shape.architecture, kind)
    deepseek_header(w, shape)
    w.matrix("token_embd.weight", shape.vocabulary, width)
    w.ones("output_norm.weight", width)
    w.matrix("output.weight", shape.vocabulary, width)
    for layer in range(shape.layers):
        p = f"blk.{layer}."
        deepseek_attention(w, p, shape)
        if layer < 1:
            gated(w, p + "ffn_*.weight", shape.ffn, width)
            continue
        w.noise(p + "ffn_gate_inp.weight", EXPERTS, width)
        w.noise(p + "exp_probs_b.bias", EXPERTS)
        gated(w, p + "ffn_*_exps.weight", EXPERT_FFN, width, EXPERTS)
        gated(w, p + "ffn_*_shexp.weight", EXPERT_FFN * SHARED, width)
    w.close()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=(*DENSE, "dsv2small"))
    parser.add_argument("out")
    parser.add_argument("--type", default="f16", choices=sorted(TYPES))
    args = parser.parse_args()
    if args.shape == "dsv2small":
        deepseek(args.out, args.type)
        return
    dense(args.out, args.type, args.shape)


if __name__ == "__main__":
    main()
