"""Tiny models with seeded weights, as GGUF and as safetensors."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

from golden.files import (from_bf16, to_bf16, write_gguf, write_json,
                          write_safetensors)
from golden.reference import Config, forward, llama_logits, open_llama

HERE = Path(__file__).resolve().parent
SEED = 64


@dataclass
class Tiny:
    """One tiny model: its sizes, its tensors by both names, its vocabulary."""

    folder: str
    architecture: str  # GGUF's name
    config: Config
    ffn: int
    vocab: int
    hf: dict
    texts: list
    tensors: dict = field(default_factory=dict)  # GGUF name -> float32
    hf_names: dict = field(default_factory=dict)  # GGUF name -> HF name


def tiny_qwen2():
    config = Config(layers=2, width=64, heads=4, kv_heads=2, head_dim=16,
                    gemma=False, bias=True)
    hf = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
          "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2,
          "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
          "rope_scaling": None, "max_position_embeddings": 256,
          "use_sliding_window": False, "tie_word_embeddings": False,
          "bos_token_id": 0, "eos_token_id": 0, "vocab_size": 96,
          "torch_dtype": "float32"}
    return Tiny("tiny_qwen2", "qwen2", config, 96, 96, hf, [
        "The end.", "He is on the line, and there it is\nin 1984!"])


def tiny_llama():
    """No vocabulary: cases are random tokens."""
    config = Config(layers=2, width=64, heads=4, kv_heads=2, head_dim=16,
                    gemma=False, theta=5e5, eps=float(np.float32(1e-5)))
    hf = {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
          "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2,
          "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
          "rope_scaling": None, "max_position_embeddings": 256,
          "attention_bias": False, "mlp_bias": False,
          "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2,
          "vocab_size": 96, "torch_dtype": "float32"}
    return Tiny("tiny_llama", "llama", config, 96, 96, hf, [])


def tiny_gemma3():
    config = Config(layers=3, width=64, heads=2, kv_heads=1, head_dim=32,
                    gemma=True, pattern=2, window=8, theta=1e6)
    kinds = ["sliding" if config.is_local(i) else "full" for i in range(3)]
    hf = {"architectures": ["Gemma3ForCausalLM"],
          "model_type": "gemma3_text", "hidden_size": 64,
          "intermediate_size": 96, "num_hidden_layers": 3,
          "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32,
          "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
          "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0,
          "rope_scaling": None, "max_position_embeddings": 256,
          "sliding_window": 8, "_sliding_window_pattern": 2,
          "layer_types": [k + "_attention" for k in kinds],
          "query_pre_attn_scalar": 32, "attention_bias": False,
          "attn_logit_softcapping": None, "final_logit_softcapping": None,
          "tie_word_embeddings": True, "bos_token_id": 2, "eos_token_id": 1,
          "pad_token_id": 0, "vocab_size": 128, "torch_dtype": "bfloat16"}
    return Tiny("tiny_gemma3", "gemma3", config, 96, 128, hf, [
        "Hello there.", "The cat sat on the mat and then it ran: 1, 2, 3!"])


def fill_weights(tiny, random):
    """Draws weights that bfloat16 holds exactly, so both files agree."""
    c = tiny.config
    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim

    def add(name, hf_name, *shape):
        if len(shape) == 2:  # Wide enough for attention to be far from flat.
            x = random.normal(0, 1.6 / np.sqrt(shape[1]), shape)
        elif name.endswith("bias"):
            x = random.normal(0, 0.5, shape)
        else:  # 1 + w stays exact: multiples of 1/64 below 2.
            x = 1 + random.integers(-48, 49, shape) / 64
        tiny.tensors[name] = from_bf16(to_bf16(x))
        tiny.hf_names[name] = hf_name

    add("token_embd.weight", "model.embed_tokens.weight", tiny.vocab, c.width)
    for i in range(c.layers):
        both = lambda n, h, s, *d: add(f"blk.{i}.{n}.{s}",
                                       f"model.layers.{i}.{h}.{s}", *d)
        both("attn_norm", "input_layernorm", "weight", c.width)
        for n, rows in ("q", q), ("k", kv), ("v", kv):
            both(f"attn_{n}", f"self_attn.{n}_proj", "weight", rows, c.width)
            if c.bias:
                both(f"attn_{n}", f"self_attn.{n}_proj", "bias", rows)
        both("attn_output", "self_attn.o_proj", "weight", c.width, q)
        if c.gemma:
            for n in "qk":
                both(f"attn_{n}_norm", f"self_attn.{n}_norm", "weight",
                     c.head_dim)
            both("post_attention_norm", "post_attention_layernorm", "weight",
                 c.width)
            both("post_ffw_norm", "post_feedforward_layernorm", "weight",
                 c.width)
        both("ffn_norm", "pre_feedforward_layernorm" if c.gemma else
             "post_attention_layernorm", "weight", c.width)
        both("ffn_gate", "mlp.gate_proj", "weight", tiny.ffn, c.width)
        both("ffn_up", "mlp.up_proj", "weight", tiny.ffn, c.width)
        both("ffn_down", "mlp.down_proj", "weight", c.width, tiny.ffn)
    add("output_norm.weight", "model.norm.weight", c.width)
    if not c.gemma:
        add("output.weight", "lm_head.weight", tiny.vocab, c.width)


LETTERS = [chr(c) for c in (*range(97, 123), *range(65, 91), *range(48, 58))]


def add_bpe(writer):
    """Byte-level BPE on part of ASCII; Ġ is a space, Ċ a line feed."""
    merges = ["Ġ t", "h e", "i n", "e r", "a n", "Ġ a", "r e", "o n", "Ġt he",
              "in g", "Ġ s", "an d", "o r", "i t", "i s", "o u", "l l", "Ġ w",
              "e n"]
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "Ġ", "Ċ"]
    tokens += LETTERS + list(".,!?'-:;()")
    tokens += [merge.replace(" ", "") for merge in merges]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3
                           + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)


def add_spm(writer):
    """SentencePiece pieces; the better the score, the earlier the merge."""
    pieces = ["▁t", "he", "▁the", "in", "er", "an", "▁a", "re", "on", "at",
              "▁an", "▁and", "or", "it", "is", "en", "▁s", "▁m", "▁it", "▁th",
              "▁then", "▁there", "ing", "ll", "lo", "llo", "He", "Hello", "Th",
              "The", "▁sat", "▁mat", "▁on", "cat", "▁cat", "ran", "▁ran", "▁o",
              "▁c", "▁r", "ou", "nd", "st", "es", "ed", "▁w", "▁b", "to"]
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<0x0A>"]
    tokens = special + pieces + ["▁"] + LETTERS + list(".,!?'-:;()~")
    kinds = ([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.UNKNOWN]
             + [gguf.TokenType.CONTROL, gguf.TokenType.BYTE])
    kinds += [gguf.TokenType.NORMAL] * (len(tokens) - len(kinds))
    scores = [-1000.0] * len(special) + [-float(i) for i in range(len(pieces))]
    scores += [-100.0 - i for i in range(len(tokens) - len(scores))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def add_no_vocabulary(writer):
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(96)
    writer.add_rope_dimension_count(16)


def in_pairs(name, x, c):
    """Rows of a Llama's queries and keys as GGUF has them.

    Hugging Face's rope turns elements j and j + d/2 of a head, GGUF's 2j and
    2j + 1.
    """
    if not name.endswith(("attn_q.weight", "attn_k.weight")):
        return x
    halves = x.reshape(-1, 2, c.head_dim // 2, x.shape[-1])
    return halves.swapaxes(1, 2).reshape(x.shape)


def write_tiny_gguf(tiny, path):
    c = tiny.config
    writer = gguf.GGUFWriter(path, tiny.architecture)
    writer.add_name(tiny.folder)
    writer.add_context_length(256)
    writer.add_embedding_length(c.width)
    writer.add_block_count(c.layers)
    writer.add_feed_forward_length(tiny.ffn)
    writer.add_head_count(c.heads)
    writer.add_head_count_kv(c.kv_heads)
    writer.add_layer_norm_rms_eps(c.eps)
    writer.add_rope_freq_base(c.theta)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if c.gemma:
        writer.add_key_length(c.head_dim)
        writer.add_value_length(c.head_dim)
        writer.add_sliding_window(c.window)
        writer.add_sliding_window_pattern(c.pattern)
    {"gemma3": add_spm, "qwen2": add_bpe, "llama": add_no_vocabulary}[
        tiny.architecture](writer)
    for name, x in tiny.tensors.items():
        if tiny.architecture == "llama":
            x = in_pairs(name, x, c)
        writer.add_tensor(name, x)
    write_gguf(writer)


def write_tiny_hf(tiny, folder):
    """Gemma's file is BF16 and keeps norm weights without their 1."""
    (folder / "config.json").write_text(json.dumps(tiny.hf, indent=2) + "\n")
    tensors = {}
    for name, x in tiny.tensors.items():
        if tiny.config.gemma:
            x = to_bf16(x - 1 if name.endswith("norm.weight") else x)
        tensors[tiny.hf_names[name]] = x
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})


def make_tiny(tiny):
    folder = HERE / tiny.folder
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    fill_weights(tiny, random)
    write_tiny_gguf(tiny, folder / "model.gguf")
    write_tiny_hf(tiny, folder)
    path = folder / "model.gguf"
    llama, checked = (open_llama(path, 64, exact) for exact in (False, True))
    cases = [{"text": text, "tokens": llama.tokenize(
        text.encode(), add_bos=tiny.config.gemma)} for text in tiny.texts]
    for length in () if tiny.texts else (3, 17):
        cases.append({"tokens": random.integers(0, tiny.vocab,
                                                length).tolist()})
    cases.append({"tokens": random.integers(0, tiny.vocab, 40).tolist()})
    expected = {}
    weights = lambda name: tiny.tensors[name].astype(np.float64)
    for i, case in enumerate(cases):
        exact = forward(tiny.config, weights, case["tokens"])
        expected[f"logits.{i}"] = exact.astype(np.float32)
        differs = lambda l: abs(llama_logits(l, case["tokens"]) - exact).max()
        print(json.dumps({
            "model": tiny.folder, "tokens": len(case["tokens"]),
            "max_abs": abs(exact).max(), "llama_vs_exact": differs(llama),
            "llama_with_exact_gelu_vs_exact": differs(checked)}))
    llama.close()
    checked.close()
    write_json(folder / "cases.json", cases)
    write_safetensors(folder / "expected.safetensors", expected)


def make():
    make_tiny(tiny_qwen2())
    make_tiny(tiny_llama())
    make_tiny(tiny_gemma3())
