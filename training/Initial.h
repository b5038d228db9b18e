//===- Initial.h - The first values of weights ------------------*- C++ -*-===//

#ifndef TENON_TRAINING_INITIAL_H
#define TENON_TRAINING_INITIAL_H

#include "runtime/exec/Session.h"

namespace tenon::training {

/// Draws every trained weight of the session: normal numbers of the mean and
/// deviation that the model's code gives, from a stream that the seed and the
/// weight's name choose.
/// Errors: UNIMPLEMENTED (a weight that is not f32).
Status drawWeights(exec::Session &session, uint64_t seed);

} // namespace tenon::training
#endif // TENON_TRAINING_INITIAL_H
