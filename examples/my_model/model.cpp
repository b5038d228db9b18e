// A small network, traced, compiled for this machine and called.

#include "frontend/Tenon.h"

#include <iostream>

using namespace tenon;

struct Classifier : Module {
  Classifier()
      : Module(nullptr, "classifier"), up(this, "up", 64, 256, {.bias = true}),
        down(this, "down", 256, 10) {}
  Tensor operator()(const Tensor &x) const { // x: [N, 64]
    return softmax(down(silu(up(x))));
  }
  Linear up, down;
};

int main() {
  Classifier model;
  Entry classify{"classify", [&](Arguments &in) -> Results {
                   Tensor x = in.tensor("x", {Dim::symbol("N", 1, 32), 64});
                   return {{"probabilities", model(x)}};
                 }};
  auto program = trace(model, {classify});
  if (!program.ok())
    return std::cerr << program.status() << "\n", 1;
  auto weights = Weights::random(*program, /*seed=*/7);
  auto session = Session::open(*program, *weights);
  if (!session.ok())
    return std::cerr << session.status() << "\n", 1;
  Arrays in = {{"x", Array::of(std::vector<float>(2 * 64, 0.5f), {2, 64})}};
  auto out = (*session)->call("classify", in);
  if (!out.ok())
    return std::cerr << out.status() << "\n", 1;
  for (float p : out->at("probabilities").values<float>())
    std::cout << p << "\n";
}
