//===- Tenon.h - All that a program written in the DSL needs ----*- C++ -*-===//
//
// See examples/my_model.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_FRONTEND_TENON_H
#define TENON_FRONTEND_TENON_H

#include "frontend/dsl/Adapters.h"
#include "frontend/dsl/Control.h"
#include "frontend/dsl/Experts.h"
#include "frontend/dsl/Gradient.h"
#include "frontend/dsl/Layers.h"
#include "frontend/dsl/Optimizers.h"
#include "frontend/dsl/RecordedRouting.h"
#include "frontend/dsl/SelectedHeads.h"
#include "frontend/dsl/Trace.h"
#include "frontend/session/Session.h"

#endif // TENON_FRONTEND_TENON_H
