//===- Ops.cpp - What the generator writes of the DSL's functions ---------===//

#include "frontend/dsl/Ops.h"

#include "frontend/dsl/OpBuild.h"
#include "ir/tn/Infer.h"

namespace tenon {
#include "frontend/dsl/Ops.cpp.inc"
} // namespace tenon
