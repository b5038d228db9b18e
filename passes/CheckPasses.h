//===- CheckPasses.h - Judges every pass by the interpreter -----*- C++ -*-===//
//
// An instrumentation that interprets a module's entries (Contract arithmetic)
// on seeded inputs before and after each pass. A pass that changes one bit of a
// result is named, with the entry and the result.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_PASSES_CHECKPASSES_H
#define TENON_PASSES_CHECKPASSES_H

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/ADT/ArrayRef.h"

#include <memory>
#include <string>

namespace tenon::passes {

/// `broken` must outlive the pass manager; it receives the first finding, and
/// stays empty if every pass keeps every result. `bounds` are those the variant
/// narrows symbols to ("T=1..1"), so that inputs fit before and after. The
/// context must not run passes on several threads meanwhile: a function's pass
/// is judged by its module.
std::unique_ptr<mlir::PassInstrumentation>
createCheckPasses(std::string &broken, llvm::ArrayRef<std::string> bounds);

} // namespace tenon::passes
#endif // TENON_PASSES_CHECKPASSES_H
