//===- Layers.h - Modules that every model has ------------------*- C++ -*-===//
//
// D width in, N width out, V tokens of the vocabulary.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_LAYERS_H
#define TENON_FRONTEND_DSL_LAYERS_H

#include "frontend/dsl/Adapters.h"
#include "frontend/dsl/Sugar.h"

namespace tenon {

/// y = x w^T (+ bias), which adapters may change. Parameters: weight [N, D],
/// bias [N].
class Linear : public Module {
public:
  struct Options {
    bool bias = false;
    /// The weight is stored [D, N], as GPT-2's safetensors do.
    bool inputsFirst = false;
    double deviation = 0.02; // of the weight's first values
  };
  Linear(Module *parent, std::string_view name, int64_t width, int64_t out,
         Options options)
      : Module(parent, name), inputsFirst(options.inputsFirst),
        weight(param("weight",
                     inputsFirst ? Shape{width, out} : Shape{out, width},
                     Initial{0, options.deviation})) {
    if (options.bias)
      bias = param("bias", {out}, kZeros);
    detail::declareLinear(*this, {path(), width, out, inputsFirst});
  }
  Linear(Module *parent, std::string_view name, int64_t width, int64_t out)
      : Linear(parent, name, width, out, Options()) {}

  Tensor operator()(const Tensor &x, Site site = Site::current()) const {
    Tensor y = matmul(x, weight, bias, /*transposeA=*/false,
                      /*transposeB=*/!inputsFirst, site);
    return detail::adapted(*this, path(), {x, y}, site);
  }

private:
  bool inputsFirst;
  Tensor weight, bias;
};

/// Root-mean-square norm. Parameters: weight [D].
class RmsNorm : public Module {
public:
  struct Options {
    /// The file stores w - 1, as Gemma's safetensors do.
    bool addOne = false;
  };
  RmsNorm(Module *parent, std::string_view name, int64_t width, double epsilon,
          Options options)
      : Module(parent, name), opts(options), eps(epsilon),
        weight(param("weight", {width}, options.addOne ? kZeros : kOnes)) {}
  RmsNorm(Module *parent, std::string_view name, int64_t width, double epsilon)
      : RmsNorm(parent, name, width, epsilon, Options()) {}

  Tensor operator()(const Tensor &x, Site site = Site::current()) const {
    Tensor w = opts.addOne ? weight.to(f32) + 1.0 : weight;
    return rmsNorm(x, w, eps, site);
  }

private:
  Options opts;
  double eps;
  Tensor weight;
};

/// Layer norm. Parameters: weight and bias [D].
class LayerNorm : public Module {
public:
  LayerNorm(Module *parent, std::string_view name, int64_t width,
            double epsilon)
      : Module(parent, name), eps(epsilon),
        weight(param("weight", {width}, kOnes)),
        bias(param("bias", {width}, kZeros)) {}

  Tensor operator()(const Tensor &x, Site site = Site::current()) const {
    return layerNorm(x, weight, bias, eps, site);
  }

private:
  double eps;
  Tensor weight, bias;
};

/// Rows by token, and the output head where the two are tied.
/// Parameters: weight [V, D].
class Embedding : public Module {
public:
  Embedding(Module *parent, std::string_view name, int64_t vocabulary,
            int64_t width)
      : Module(parent, name), weight(param("weight", {vocabulary, width})) {}

  /// Shapes: tokens i32 [T], result f32 [T, D].
  Tensor operator()(const Tensor &tokens, Site site = Site::current()) const {
    return gather(weight, tokens, site).to(f32, site);
  }
  /// Shapes: x [R, D], result [R, V].
  Tensor logits(const Tensor &x, Site site = Site::current()) const {
    return linear(x, weight, Tensor(), site);
  }

private:
  Tensor weight;
};

/// y = down(activation(gate x) * up x), F hidden width.
/// Parameters: gate.weight and up.weight [F, D], down.weight [D, F].
class GatedFeedForward : public Module {
public:
  using Activation = Tensor (*)(const Tensor &, Site);
  GatedFeedForward(Module *parent, std::string_view name, int64_t width,
                   int64_t hidden, Activation activation)
      : Module(parent, name), activate(activation),
        gate(this, "gate", width, hidden), up(this, "up", width, hidden),
        down(this, "down", hidden, width) {}

  Tensor operator()(const Tensor &x, Site site = Site::current()) const {
    return down(activate(gate(x, site), site) * up(x, site), site);
  }

private:
  Activation activate;
  Linear gate, up, down;
};

} // namespace tenon
#endif // TENON_FRONTEND_DSL_LAYERS_H
