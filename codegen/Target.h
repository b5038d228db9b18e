//===- Target.h - What the compiler asks of a target ------------*- C++ -*-===//
//
// A target is a folder below codegen/ and one line in Targets.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_TARGET_H
#define TENON_CODEGEN_TARGET_H

#include "ir/tn/Tn.h"

#include "llvm/ADT/StringMap.h"

namespace tenon::codegen {

/// The range of every symbol that a kernel's types name, by name. A variant of
/// an entry narrows them (T is 1; T is at most 16).
using SymbolRanges = llvm::StringMap<ir::SymbolAttr>;

class Target {
public:
  virtual ~Target() = default;

  /// The name in options and artefacts: "cpu".
  virtual llvm::StringRef name() const = 0;

  /// How nest number `nest` of `kernel` is to be cut, from its types and the
  /// ranges of its symbols alone: the same for equal kernels. Schedules never
  /// change a result. One pass attaches it; everything later reads it.
  virtual ir::ScheduleAttr schedule(ir::KernelOp kernel, unsigned nest,
                                    const SymbolRanges &ranges) const = 0;
};

/// Every target, in the order options list them.
llvm::ArrayRef<const Target *> targets();

/// The target of that name; null when there is none.
const Target *findTarget(llvm::StringRef name);

} // namespace tenon::codegen
#endif // TENON_CODEGEN_TARGET_H
