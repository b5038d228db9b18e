"""The two references: a float64 forward in NumPy, and llama.cpp."""

import ctypes
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
from llama_cpp import Llama
from llama_cpp._ggml import libggml


@dataclass
class Config:
    """What the models differ in; window 0 sees everything."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_dim: int
    gemma: bool
    bias: bool = False  # Of queries, keys and values.
    pattern: int = 1  # Every pattern-th layer is global.
    window: int = 0
    theta: float = 1e4
    local_theta: float = 1e4
    eps: float = float(np.float32(1e-6))

    def is_local(self, layer):
        return self.window > 0 and layer % self.pattern < self.pattern - 1


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1 + np.exp(-x))


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def rope(x, theta):
    """x: [T, H, d]; rotates the pairs (j, j + d/2), the NEOX layout."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def attention(c, w, layer, x):
    T, p = len(x), f"blk.{layer}."
    q, k, v = (x @ w(f"{p}attn_{n}.weight").T for n in "qkv")
    if c.bias:
        q, k, v = (a + w(f"{p}attn_{n}.bias") for a, n in zip((q, k, v), "qkv"))
    q, k, v = (a.reshape(T, -1, c.head_dim) for a in (q, k, v))
    if c.gemma:
        q = rms_norm(q, w(p + "attn_q_norm.weight"), c.eps)
        k = rms_norm(k, w(p + "attn_k_norm.weight"), c.eps)
    theta = c.local_theta if c.is_local(layer) else c.theta
    q, k = rope(q, theta), rope(k, theta)
    k, v = (np.repeat(a, c.heads // c.kv_heads, axis=1) for a in (k, v))
    distance = np.arange(T)[:, None] - np.arange(T)
    hidden = distance < 0
    if c.is_local(layer):
        hidden |= distance >= c.window
    score = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(c.head_dim)
    score = np.where(hidden, -np.inf, score)
    p_k = np.exp(score - score.max(-1, keepdims=True))
    p_k /= p_k.sum(-1, keepdims=True)
    y = np.einsum("hqk,khd->qhd", p_k, v).reshape(T, -1)
    return y @ w(p + "attn_output.weight").T


def forward(c, w, tokens, first=0):
    """Returns the float64 logits of positions `first` and after.

    `w(name)` returns a tensor, by llama.cpp's name, as float64.
    """
    x = w("token_embd.weight")[tokens]
    if c.gemma:
        x = x * float(np.sqrt(np.float32(c.width)))
    act = gelu_tanh if c.gemma else silu
    for layer in range(c.layers):
        norm = lambda n, a: rms_norm(a, w(f"blk.{layer}.{n}.weight"), c.eps)
        y = attention(c, w, layer, norm("attn_norm", x))
        x = x + (norm("post_attention_norm", y) if c.gemma else y)
        h = norm("ffn_norm", x)
        gate, up, down = (w(f"blk.{layer}.ffn_{n}.weight").T
                          for n in ("gate", "up", "down"))
        y = (act(h @ gate) * (h @ up)) @ down
        x = x + (norm("post_ffw_norm", y) if c.gemma else y)
    x = rms_norm(x[first:], w("output_norm.weight"), c.eps)
    return x @ w("token_embd.weight" if c.gemma else "output.weight").T


def open_llama(path, context, exact_gelu=False):
    """Two threads, float32 KV cache, no flash attention: it is float16."""
    defaults = lib.llama_context_default_params
    replace = lib.ggml_backend_sched_eval_callback(GeluReplacer())

    def with_callback():
        params = defaults()
        params.cb_eval = replace
        return params

    if exact_gelu:  # The class offers no argument for this callback.
        lib.llama_context_default_params = with_callback
    llama = Llama(
        str(path), n_ctx=context, n_batch=512, n_threads=2, n_threads_batch=2,
        logits_all=True, flash_attn=False, type_k=lib.GGML_TYPE_F32,
        type_v=lib.GGML_TYPE_F32, verbose=False)
    lib.llama_context_default_params = defaults
    llama.keep_alive = replace
    return llama


class GeluReplacer:
    """Overwrites gelu(gate) * up, which llama.cpp reads from a float16 table.

    llama.cpp calls this before (ask) and after it computes each graph node.
    """

    def __init__(self):
        self.inputs = {}

    def __call__(self, node, ask, _):
        name = ggml("ggml_get_name", ctypes.c_char_p, node).split(b"-")[0]
        if name not in (b"ffn_gate", b"ffn_up", b"ffn_geglu"):
            return not ask
        if not ask:
            data = ggml("ggml_get_data_f32", ctypes.POINTER(ctypes.c_float),
                        node)
            size = ggml("ggml_nelements", ctypes.c_int64, node)
            self.visit(name, np.ctypeslib.as_array(data, (size,)))
        return True

    def visit(self, name, values):
        if name == b"ffn_geglu":
            values[:] = (gelu_tanh(self.inputs[b"ffn_gate"])
                         * self.inputs[b"ffn_up"])
            return
        self.inputs[name] = values.astype(np.float64)


def ggml(function, result, node):
    call = getattr(libggml, function)
    call.restype, call.argtypes = result, [ctypes.c_void_p]
    return call(node)


def llama_logits(llama, tokens, first=0):
    llama.reset()
    llama.eval(tokens)
    return llama.scores[first:len(tokens)].astype(np.float64)


def greedy(llama, prompt, count):
    """Returns new tokens and the logits that chose each, token by token.

    Does not stop at an end-of-text token.
    """
    llama.reset()
    llama.eval(prompt)
    first, new = len(prompt) - 1, []
    while len(new) < count:
        new.append(int(llama.scores[llama.n_tokens - 1].argmax()))
        llama.eval(new[-1:])
    return new, llama.scores[first:first + count].astype(np.float64)
