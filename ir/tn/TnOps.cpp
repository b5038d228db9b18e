//===- TnOps.cpp - What TableGen generates of the ops ---------------------===//

#include "ir/tn/Tn.h"

using namespace mlir;
using namespace tenon::ir;

#define GET_OP_CLASSES
#include "ir/tn/TnOps.cpp.inc"
