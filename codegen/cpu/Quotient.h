//===- Quotient.h - Many divisions by one divisor ---------------*- C++ -*-===//
//
// A vector division takes some ten cycles; a product by the reciprocal and its
// correction four, and gives the same bits.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_QUOTIENT_H
#define TENON_CODEGEN_CPU_QUOTIENT_H

#include "codegen/cpu/Emitter.h"

namespace tenon::codegen::cpu {

/// What a divisor's quotients share: f32 scalars.
struct Divisor {
  mlir::Value value;
  mlir::Value reciprocal; // rounded
  mlir::Value rest;       // of the reciprocal, rounded
};

/// Of a value in [1, 2^31] or NaN.
Divisor divisorOf(KernelEmitter &e, mlir::Value value);

/// x / divisor, correctly rounded, for x in [0, 1] or NaN. Scalars are divided;
/// vectors, by Markstein, "Computation of elementary functions on the IBM RISC
/// System/6000 processor" (1990), theorem 1: a faithful quotient corrected by
/// its exact remainder times the rounded reciprocal is the rounded quotient.
mlir::Value quotient(KernelEmitter &e, mlir::Value x, const Divisor &divisor);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_QUOTIENT_H
