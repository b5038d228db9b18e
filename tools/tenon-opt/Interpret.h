//===- Interpret.h - The pass behind --tn-interpret -------------*- C++ -*-===//
//
// Runs every function that has `tn.test_inputs` in both arithmetics and prints
// what it computes, for FileCheck:
//
//   func.func @f(%x: tensor<2xf32>) -> tensor<2xf32>
//       attributes {tn.test_inputs = [dense<[1.0, 2.0]> : tensor<2xf32>]} {
//   // CHECK: @f contract: tensor<2xf32> [0.5, 1]
//   // CHECK: @f real: tensor<2xf32> [0.5, 1]
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TOOLS_TENONOPT_INTERPRET_H
#define TENON_TOOLS_TENONOPT_INTERPRET_H

namespace tenon::tools {

/// Registers the pass as --tn-interpret.
void registerInterpretPass();

} // namespace tenon::tools
#endif // TENON_TOOLS_TENONOPT_INTERPRET_H
