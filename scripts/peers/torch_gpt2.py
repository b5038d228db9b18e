"""A GPT-2 in PyTorch, independent of models/gpt2."""

import torch.nn.functional as F


def forward(w, tokens, heads, layers, eps=1e-5):
    """The logits [B, T, V] of tokens [B, T], by weights named as in models/gpt2."""
    batch, length = tokens.shape
    d = w["embedding.weight"].shape[1]

    def linear(x, name):
        return F.linear(x, w[name + ".weight"], w[name + ".bias"])

    def norm(x, name):
        return F.layer_norm(x, (d,), w[name + ".weight"], w[name + ".bias"],
                            eps)

    x = w["embedding.weight"][tokens] + w["places.weight"][:length]
    for layer in range(layers):
        at = f"layers.{layer}."
        q, k, v = linear(norm(x, at + "attention_norm"),
                         at + "attention.project").split(d, dim=-1)
        split = [t.view(batch, length, heads, -1).transpose(1, 2)
                 for t in (q, k, v)]
        y = F.scaled_dot_product_attention(*split, is_causal=True)
        y = y.transpose(1, 2).reshape(batch, length, d)
        x = x + linear(y, at + "attention.output")
        up = F.gelu(linear(norm(x, at + "feed_forward_norm"), at + "up"),
                    approximate="tanh")
        x = x + linear(up, at + "down")
    return F.linear(norm(x, "norm"), w["embedding.weight"])
