"""Steps of training a GPT-2 by JAX, compiled by XLA: `python -m peers.jax_gpt2`.

Weights, tokens and the optimiser are those of scripts/train-reference; prints a
line of JSON with each step's loss and milliseconds.
"""

import argparse
import functools
import json
import math
import time

import jax
import jax.numpy as jnp
import numpy as np


def shapes_of(args):
    d = args.width
    shapes = {"embedding": (args.vocabulary, d), "places": (1024, d),
              "norm.w": (d,), "norm.b": (d,)}
    for layer in range(args.layers):
        for name, shape in (("norm1", (d,)), ("norm2", (d,))):
            shapes[f"{layer}.{name}.w"] = shapes[f"{layer}.{name}.b"] = shape
        for name, rows, columns in (("project", 3 * d, d), ("output", d, d),
                                    ("up", 4 * d, d), ("down", d, 4 * d)):
            shapes[f"{layer}.{name}.w"] = (rows, columns)
            shapes[f"{layer}.{name}.b"] = (rows,)
    return shapes


def initial(shapes):
    rng = np.random.default_rng(1)
    made = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            made[name] = jnp.asarray(
                rng.normal(0, 0.02, shape).astype(np.float32))
        else:
            made[name] = (jnp.zeros if name.endswith(".b") else jnp.ones)(shape)
    return made


def norm(x, w, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * w[name + ".w"] + w[name + ".b"]


def linear(x, w, name):
    return x @ w[name + ".w"].T + w[name + ".b"]


def loss_of(w, text, args):
    tokens, targets = text[:, :-1], text[:, 1:]
    batch, length = tokens.shape
    width = args.width // args.heads
    x = w["embedding"][tokens] + w["places"][:length]
    mask = jnp.tril(jnp.ones((length, length), bool))
    for layer in range(args.layers):
        h = linear(norm(x, w, f"{layer}.norm1"), w, f"{layer}.project")
        q, k, v = (t.reshape(batch, length, args.heads, width)
                   for t in jnp.split(h, 3, -1))
        scores = jnp.einsum("bqhw,bkhw->bhqk", q, k) / math.sqrt(width)
        p = jax.nn.softmax(jnp.where(mask, scores, -jnp.inf), -1)
        y = jnp.einsum("bhqk,bkhw->bqhw", p, v).reshape(batch, length, -1)
        x = x + linear(y, w, f"{layer}.output")
        h = jax.nn.gelu(linear(norm(x, w, f"{layer}.norm2"), w, f"{layer}.up"),
                        approximate=True)
        x = x + linear(h, w, f"{layer}.down")
    logits = norm(x, w, "norm") @ w["embedding"].T
    log_p = jax.nn.log_softmax(logits, -1)
    return -jnp.take_along_axis(log_p, targets[..., None], -1).mean()


def step(state, text, args):
    w, m, v, t = state
    loss, g = jax.value_and_grad(loss_of)(w, text, args)
    total = jnp.sqrt(sum(jnp.sum(x * x) for x in g.values()))
    scale = jnp.minimum(1.0, 1.0 / total)
    t = t + 1
    made = {}, {}, {}
    for name, x in w.items():
        gradient = g[name] * scale
        m1 = 0.9 * m[name] + 0.1 * gradient
        v1 = 0.95 * v[name] + 0.05 * gradient * gradient
        change = m1 / (1 - 0.9**t) / (jnp.sqrt(v1 / (1 - 0.95**t)) + 1e-8)
        decay = 0.1 if x.ndim == 2 else 0.0
        for part, value in zip(made, (x - 3e-4 * (change + decay * x), m1, v1)):
            part[name] = value
    return (*made, t), loss


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("steps", 8), ("layers", 12), ("width", 768),
                        ("heads", 12), ("vocabulary", 50257), ("sequences", 4),
                        ("length", 64)):
        parser.add_argument("--" + name, type=int, default=value)
    args = parser.parse_args()
    w = initial(shapes_of(args))
    zeros = {name: jnp.zeros_like(x) for name, x in w.items()}
    state = (w, zeros, dict(zeros), jnp.float32(0))
    state = jax.tree.map(jnp.array, state)  # buffers of their own, to donate
    rng = np.random.default_rng(2)
    text = jnp.asarray(rng.integers(0, args.vocabulary,
                                    (args.sequences, args.length + 1)))
    compiled = jax.jit(functools.partial(step, args=args), donate_argnums=0)
    steps = []
    for _ in range(args.steps):
        start = time.perf_counter()
        state, loss = compiled(state, text)
        loss = float(loss)
        jax.block_until_ready(state)
        steps.append({"loss": loss, "ms": 1e3 * (time.perf_counter() - start)})
    print(json.dumps({"steps": steps}))


if __name__ == "__main__":
    main()
