//===- RowReads.h - Tables of which a kernel reads some rows ----*- C++ -*-===//
//
// What people are told a launch moves: an embedding of which a step reads one
// row is not read as a whole.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_ROWREADS_H
#define TENON_CODEGEN_HOST_ROWREADS_H

#include "ir/tn/Tn.h"
#include "runtime/base/Program.h"

namespace tenon::codegen::host {

/// The number of each input's first buffer in the kernel's frame.
llvm::SmallVector<uint32_t> firstBuffers(ir::KernelOp kernel);

/// The inputs that `kernel` reads by `tn.gather` alone. Numbers are those of
/// the buffers in its frame.
std::vector<base::RowRead> rowReadsOf(ir::KernelOp kernel);

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_ROWREADS_H
