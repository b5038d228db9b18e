"""A tiny GPT-2 with seeded weights, as GGUF and as safetensors."""

import json

import gguf
import numpy as np

from golden.files import (from_bf16, to_bf16, write_gguf, write_json,
                          write_safetensors)
from golden.reference import gelu_tanh, llama_logits, open_llama
from golden.tiny import HERE, SEED

LAYERS, WIDTH, HEADS, VOCAB, CONTEXT = 2, 64, 4, 96, 256
EPS = float(np.float32(1e-5))
HF = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
      "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS,
      "n_positions": CONTEXT, "vocab_size": VOCAB,
      "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
      "torch_dtype": "float32"}


def draw(random):
    """GGUF name -> (HF name, values as GGUF has them: [outputs, inputs])."""
    made = {}

    def add(name, hf_name, *shape):
        if len(shape) == 2:
            x = random.normal(0, 1.6 / np.sqrt(shape[1]), shape)
        elif name.endswith("bias"):
            x = random.normal(0, 0.5, shape)
        else:
            x = 1 + random.integers(-48, 49, shape) / 64
        made[name] = hf_name, from_bf16(to_bf16(x))

    def norm(name, hf_name):
        add(name + ".weight", hf_name + ".weight", WIDTH)
        add(name + ".bias", hf_name + ".bias", WIDTH)

    def linear(name, hf_name, outputs, inputs):
        add(name + ".weight", hf_name + ".weight", outputs, inputs)
        add(name + ".bias", hf_name + ".bias", outputs)

    add("token_embd.weight", "wte.weight", VOCAB, WIDTH)
    add("position_embd.weight", "wpe.weight", CONTEXT, WIDTH)
    for i in range(LAYERS):
        b, h = f"blk.{i}.", f"h.{i}."
        norm(b + "attn_norm", h + "ln_1")
        linear(b + "attn_qkv", h + "attn.c_attn", 3 * WIDTH, WIDTH)
        linear(b + "attn_output", h + "attn.c_proj", WIDTH, WIDTH)
        norm(b + "ffn_norm", h + "ln_2")
        linear(b + "ffn_up", h + "mlp.c_fc", 4 * WIDTH, WIDTH)
        linear(b + "ffn_down", h + "mlp.c_proj", WIDTH, 4 * WIDTH)
    norm("output_norm", "ln_f")
    return made


def forward(w, tokens):
    """The float64 logits; `w` by GGUF's names."""
    count = len(tokens)

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
        return x * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    x = w["token_embd.weight"][tokens] + w["position_embd.weight"][:count]
    hidden = np.arange(count)[:, None] < np.arange(count)
    for i in range(LAYERS):
        b = f"blk.{i}."
        qkv = linear(norm(x, b + "attn_norm"), b + "attn_qkv")
        q, k, v = (a.reshape(count, HEADS, -1) for a in np.split(qkv, 3, -1))
        score = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(WIDTH // HEADS)
        score = np.where(hidden, -np.inf, score)
        p = np.exp(score - score.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        y = np.einsum("hqk,khd->qhd", p, v).reshape(count, -1)
        x = x + linear(y, b + "attn_output")
        up = gelu_tanh(linear(norm(x, b + "ffn_norm"), b + "ffn_up"))
        x = x + linear(up, b + "ffn_down")
    return norm(x, "output_norm") @ w["token_embd.weight"].T


def write_model(made, folder):
    writer = gguf.GGUFWriter(folder / "model.gguf", "gpt2")
    writer.add_name(folder.name)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(4 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(EPS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(VOCAB)
    for name, (_, x) in made.items():
        writer.add_tensor(name, x)
    writer.add_tensor("output.weight", made["token_embd.weight"][1])
    write_gguf(writer)
    (folder / "config.json").write_text(json.dumps(HF, indent=2) + "\n")
    # Hugging Face's matrices are [inputs, outputs], but for the embeddings.
    tensors = {hf: x.T.copy() if x.ndim == 2 and name.startswith("blk") else x
               for name, (hf, x) in made.items()}
    write_safetensors(folder / "model.safetensors", tensors, {"format": "pt"})


def make():
    folder = HERE / "tiny_gpt2"
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    made = draw(random)
    write_model(made, folder)
    weights = {name: x.astype(np.float64) for name, (_, x) in made.items()}
    llama = open_llama(folder / "model.gguf", 64)
    cases, expected = [], {}
    for i, length in enumerate((3, 17, 40)):
        tokens = random.integers(0, VOCAB, length).tolist()
        exact = forward(weights, tokens)
        cases.append({"tokens": tokens})
        expected[f"logits.{i}"] = exact.astype(np.float32)
        differs = abs(llama_logits(llama, tokens) - exact).max()
        print(json.dumps({"model": folder.name, "tokens": length,
                          "max_abs": abs(exact).max(),
                          "llama_vs_exact": differs}))
    llama.close()
    write_json(folder / "cases.json", cases)
    write_safetensors(folder / "expected.safetensors", expected)
