//===- ExplainMoe.h - The pass behind --explain-moe -------------*- C++ -*-===//
//
// Prints, for each product of experts, how its rows would be multiplied for a
// few numbers of rows, and what that costs:
//
//   tenon-opt layer.mlir --explain-moe -o /dev/null
//     @layer: grouped_matmul of 64 matrices [1408, 2048] of f32
//       6 rows: 1 together; 5.77 experts, 69206016 bytes, 17301504
//       multiply-adds
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_TENONOPT_EXPLAINMOE_H
#define TENON_TOOLS_TENONOPT_EXPLAINMOE_H

namespace tenon::tools {

/// Registers the pass as --explain-moe.
void registerExplainMoePass();

} // namespace tenon::tools
#endif // TENON_TOOLS_TENONOPT_EXPLAINMOE_H
