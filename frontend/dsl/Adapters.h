//===- Adapters.h - Small weights beside frozen ones ------------*- C++ -*-===//
//
// Adapters change what a model's linear parts give, and leave its code and its
// own weights as they are:
//
//   LoRA, rsLoRA   y = w x + scale * b (a x)     a [r, D], b [N, r]
//   bottleneck     y' = y + up gelu(down y)      down [r, N], up [N, r]
//
// and each expert of a layer has its own: a [E, r, D], b [E, N, r],
//
// where y = w x (+ bias), and scale is alpha / r, or alpha / sqrt(r) for
// rsLoRA. b and up are zeros at first, so that an adapter begins by changing
// nothing. An adapter's weights are f32 and live across calls, whatever the
// format of w: `Session::write` makes another adapter of them.
//
//   Model model(config);
//   Adapters adapters(model, {.rank = 16, .alpha = 32,
//                             .targets = {"layers.*.attention.query"}});
//   lossAndGradients(model, loss, tensorsOf(adapters.parameters()));
//
// Source: Hu et al. 2021, arXiv:2106.09685, section 4.1; Kalajdzievski 2023,
// arXiv:2312.03732; Houlsby et al. 2019, arXiv:1902.00751, section 2.1.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_DSL_ADAPTERS_H
#define TENON_FRONTEND_DSL_ADAPTERS_H

#include "frontend/dsl/Module.h"

#include "absl/status/status.h"

namespace tenon {

enum class AdapterKind { LoRa, RsLoRa, Bottleneck };

struct AdapterOptions {
  AdapterKind kind = AdapterKind::LoRa;
  int64_t rank = 16;
  double alpha = 32; ///< Not of bottlenecks.
  /// Paths of linear parts, with "*" for anything: of experts
  /// "layers.*.experts.gate", "up" and "down".
  std::vector<std::string> targets;
};

/// "lora", "rslora" or "bottleneck".
std::string_view nameOf(AdapterKind kind);

/// What multiplies b (a x); 1 for bottlenecks.
double adapterScale(const AdapterOptions &options);

/// A linear part of a model, or of each expert of a layer: y [N] = w x [D].
struct LinearPart {
  std::string path;    ///< "layers.0.attention.query"
  int64_t width;       ///< D
  int64_t out;         ///< N
  bool inputsFirst;    ///< Its weight is stored [D, N].
  int64_t experts = 0; ///< Above 0: the weight is [E, N, D].
};

/// A model's, in the order of their declaration.
const std::vector<LinearPart> &linearParts(const Module &model);

/// The model's other matrices whose names the targets match too, with "*" for
/// numbers: "embedding", "layers.*.experts.router". They stay as they are.
std::vector<std::string> unadapted(const Module &model,
                                   const AdapterOptions &options);

/// A part of `model`, of weights "adapters.PATH.lora_a" and "lora_b", or "down"
/// and "up". The adapters work as long as the model, also where this object is
/// gone.
class Adapters : public Module {
public:
  /// Whether `model` can have such adapters.
  /// Errors: INVALID_ARGUMENT (no target; one that no linear part's path
  ///         matches, listing those there are; rank < 1; an alpha that is no
  ///         positive number; adapters there already).
  static absl::Status check(const Module &model, const AdapterOptions &options);

  /// Errors: noted for `trace`: as `check`.
  Adapters(Module &model, const AdapterOptions &options,
           Site site = Site::current());

private:
  void attach(const LinearPart &part, const AdapterOptions &options, Site site);
};

namespace detail {
/// A call of a linear part: y of x. With offsets, each expert's rows lie there,
/// as `groupedMatmul` has them.
struct LinearCall {
  Tensor x, y, offsets = {};
};
/// What a linear part that is declared, and called, asks of the tree.
void declareLinear(const Module &module, const LinearPart &part);
Tensor adapted(const Module &module, std::string_view path,
               const LinearCall &call, Site site);
} // namespace detail

} // namespace tenon
#endif // TENON_FRONTEND_DSL_ADAPTERS_H
