//===- AttentionNests.h - The nests of attention ----------------*- C++ -*-===//
//
// Which one a nest is follows from the op that roots it; `emitAttentionNest`
// (Emitter.h) chooses.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_CODEGEN_CPU_ATTENTIONNESTS_H
#define TENON_CODEGEN_CPU_ATTENTIONNESTS_H

#include "codegen/cpu/Emitter.h"

namespace tenon::codegen::cpu {

/// tn.attention, tn.self_attention: a tile is of queries.
mlir::LogicalResult emitForwardNest(KernelEmitter &emitter, const Nest &nest,
                                    mlir::Value tile);
/// tn.self_attention_grad_query: a tile is of queries.
mlir::LogicalResult emitGradQueryNest(KernelEmitter &emitter, const Nest &nest,
                                      mlir::Value tile);
/// tn.self_attention_grad_keys: a tile is of 64 keys of one head.
mlir::LogicalResult emitGradKeysNest(KernelEmitter &emitter, const Nest &nest,
                                     mlir::Value tile);

} // namespace tenon::codegen::cpu
#endif // TENON_CODEGEN_CPU_ATTENTIONNESTS_H
