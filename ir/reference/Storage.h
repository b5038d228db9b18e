//===- Storage.h - Reference values as the bytes of the runtime -*- C++ -*-===//
//
// Between what the interpreter holds and what compiled code reads and writes.
//
//   auto w = ref::tensorFromBytes<ref::Contract>(type, {64, 32}, bytes);
//   auto bytes = ref::tensorToBytes(result);
//
//===----------------------------------------------------------------------===//

#ifndef TENON_IR_REFERENCE_STORAGE_H
#define TENON_IR_REFERENCE_STORAGE_H

#include "ir/reference/Value.h"
#include "runtime/base/Blocks.h"

#include "llvm/Support/Error.h"

#include <string>

namespace tenon::ir::ref {

/// Reads a dense tensor; a blocked one keeps its blocks and their values.
/// Errors: a size that is not that of the shape.
template <typename A>
llvm::Expected<Tensor<A>> tensorFromBytes(mlir::Type element,
                                          llvm::ArrayRef<int64_t> shape,
                                          llvm::ArrayRef<char> bytes);

/// Makes a blocked tensor of what base::pack makes of `values`.
/// Errors: as base::pack.
template <typename A>
llvm::Expected<Tensor<A>> packedTensor(mlir::Type element,
                                       llvm::ArrayRef<int64_t> shape,
                                       llvm::ArrayRef<float> values);

/// Writes a dense tensor; a double of `Real` rounds to f32 first.
template <typename A> std::string tensorToBytes(const Tensor<A> &tensor);

/// Makes the blocks of q8_0 or q8_k that `tn.quantize` makes of whole blocks of
/// values.
std::string quantizedBytes(base::ElementType type,
                           llvm::ArrayRef<float> values);

/// Reads and writes the pages of a cache of `type` (a `!tn.cache`). A cache of
/// q8_0 holds the unpacked values of its rows: of the blocks that mean them,
/// one is written.
/// Errors: a size that is not whole blocks of 64 rows; values that no block of
/// q8_0 means.
template <typename A>
llvm::Expected<Cache<A>> cacheFromBytes(mlir::Type type,
                                        llvm::ArrayRef<char> bytes);
template <typename A>
llvm::Expected<std::string> cacheToBytes(mlir::Type type,
                                         const Cache<A> &cache);

} // namespace tenon::ir::ref
#endif // TENON_IR_REFERENCE_STORAGE_H
