//===- Infer.h - Result types from operands and attributes ------*- C++ -*-===//
//
// For whoever builds ops without knowing their results' types: the DSL. A hook
// checks only what it needs to compute; the op's verifier judges the rest.
//
//   infer::Request request{operandTypes, attributes, ...};
//   SmallVector<Type> results;
//   if (failed(infer::matmul(request, results))) ...
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_TN_INFER_H
#define TENON_IR_TN_INFER_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <functional>

namespace tenon::ir::infer {

struct Request {
  llvm::ArrayRef<mlir::Type> operands;
  mlir::DictionaryAttr attributes;
  std::function<mlir::InFlightDiagnostic()> error;
  /// What the caller wants of the result, for ops that leave it open.
  llvm::SmallVector<int64_t> shape; // kDynamic for a symbol; -1: to compute
  llvm::SmallVector<std::string> symbols;
  mlir::Type element;
};

using Hook = mlir::LogicalResult(const Request &request,
                                 llvm::SmallVectorImpl<mlir::Type> &results);

// Elementwise
Hook compare, cast;
// Views
Hook broadcast, reshape, transpose, slice, concat;
// Reductions, products, rows by number
Hook reduce, sumRows, matmul, gather, takeAlong, scatter, unpack, quantize;
// Choosing elements of a row
Hook topK, argmax, random, sample, emit;
// Mixture of experts
Hook moeRoute, moeWeigh, moeDispatch, moeGather, moeCombine, groupedMatmul,
    groupedOuter;
// Attention
Hook attention, selfAttention;

/// The type that NumPy's broadcasting gives two tensors of one element type.
mlir::FailureOr<mlir::RankedTensorType>
broadcastPair(mlir::RankedTensorType a, mlir::RankedTensorType b,
              llvm::function_ref<mlir::InFlightDiagnostic()> error);

} // namespace tenon::ir::infer
#endif // TENON_IR_TN_INFER_H
