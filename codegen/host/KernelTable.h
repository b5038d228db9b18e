//===- KernelTable.h - The distinct kernels of a program --------*- C++ -*-===//
//
// Kernels that are equal but for their operands' names are one kernel: layers
// and variants share it. Each is known by the text of its op, schedules
// included, and the symbols its types name.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_HOST_KERNELTABLE_H
#define TENON_CODEGEN_HOST_KERNELTABLE_H

#include "codegen/cpu/Emitter.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

#include <vector>

namespace tenon::codegen::host {

struct KernelEntry {
  ir::KernelOp op; // one of the equal ones
  std::vector<ir::SymbolAttr> symbols;
  std::string symbol;   // "k3_matmul"
  cpu::KernelInfo info; // filled by emission
};

class KernelTable {
public:
  /// The number of `op`, new or known. `symbols` are its function's.
  unsigned add(ir::KernelOp op, llvm::ArrayRef<ir::SymbolAttr> symbols);

  std::vector<KernelEntry> entries;

private:
  llvm::StringMap<unsigned> numbers;
  // A layer's kernels are added once for each layer. No op is freed while ones
  // are added.
  llvm::DenseMap<mlir::Operation *, unsigned> known;
};

} // namespace tenon::codegen::host
#endif // TENON_CODEGEN_HOST_KERNELTABLE_H
