//===- GraphCoverage.h - What random graphs held ----------------*- C++ -*-===//
//
//   GraphCoverage coverage;
//   coverage.count(*graph.module);
//   coverage.print();
//   EXPECT_EQ(coverage.missing(context), "");
//
//===----------------------------------------------------------------------===//

#ifndef TENON_TESTS_NUMERICS_GRAPHCOVERAGE_H
#define TENON_TESTS_NUMERICS_GRAPHCOVERAGE_H

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <set>
#include <string>

namespace tenon::testing {

/// Every op of the tn dialect that is registered, "tn.exp".
std::set<std::string> registeredOps(mlir::MLIRContext &context);

/// Counts ops, the element types of all values, and tails: the last axis of the
/// results modulo 16, which is what is left for a masked vector of any length.
class GraphCoverage {
public:
  void count(mlir::ModuleOp module);
  void print() const;
  /// Lists the ops of the dialect, its element types and the tails that no
  /// graph held; empty if none.
  std::string missing(mlir::MLIRContext &context) const;

private:
  void countType(mlir::Type type);

  std::map<std::string, int> ops, elements, tails;
};

} // namespace tenon::testing
#endif // TENON_TESTS_NUMERICS_GRAPHCOVERAGE_H
