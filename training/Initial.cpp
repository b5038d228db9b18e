//===- Initial.cpp - The first values of weights --------------------------===//

#include "training/Initial.h"

#include "runtime/exec/InitialValues.h"

namespace tenon::training {

Status drawWeights(exec::Session &session, uint64_t seed) {
  for (const base::State &state : session.program().program().states) {
    if (!state.isTensor() || state.source.empty())
      continue;
    if (state.element != base::ElementType::F32)
      return unimplemented("weight '", state.name, "': expects f32, got ",
                           base::info(state.element).name);
    TENON_ASSIGN_OR_RETURN(exec::MutableTensorView view,
                           session.state(state.name));
    size_t count = 1;
    for (int64_t extent : state.shape)
      count *= extent;
    exec::drawInitial(state, {static_cast<float *>(view.data), count}, seed);
  }
  return Status();
}

} // namespace tenon::training
