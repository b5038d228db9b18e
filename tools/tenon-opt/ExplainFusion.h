//===- ExplainFusion.h - The pass behind --explain-fusion -------*- C++ -*-===//
//
// Prints, for each function of kernels, what each kernel holds, the bytes it
// reads and writes, and what was not fused with it and why:
//
//   tenon-opt layer.mlir --tn-fuse --explain-fusion -o /dev/null
//
//   @layer: 2 kernels
//     rms_norm
//       holds tn.rms_norm
//       moves 2560 + 5120 * T bytes
//     matmul+silu
//       ...
//       apart from matmul: reads the rows of rms_norm once for each tile, ...
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_TENONOPT_EXPLAINFUSION_H
#define TENON_TOOLS_TENONOPT_EXPLAINFUSION_H

namespace tenon::tools {

/// Registers the pass as --explain-fusion.
void registerExplainFusionPass();

} // namespace tenon::tools
#endif // TENON_TOOLS_TENONOPT_EXPLAINFUSION_H
