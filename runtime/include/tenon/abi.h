//===- abi.h - What compiled kernels and the runtime agree on -----*- C -*-===//
//
// A compiled kernel is `void kernel(const tenon_frame *, uint32_t tile)`. The
// runtime calls it once for every tile of its tile space, in any order, on any
// thread. Tiles write disjoint memory. Kernels allocate nothing and never trap.
//
//===----------------------------------------------------------------------===//

#ifndef TENON_ABI_H
#define TENON_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Changes whenever a struct of this file or the meaning of a field does; a
/// `.tenon` file with another value is refused.
#define TENON_ABI_VERSION 1

/// Keys of a cache block: keys lie in the vector lanes of one block.
#define TENON_CACHE_BLOCK 64

/// Why a kernel failed. The values are stored by compiled code.
enum {
  TENON_FAILURE_NONE = 0,
  TENON_FAILURE_INDEX = 1,   ///< an index is outside its axis
  TENON_FAILURE_NAN = 2,     ///< NaN reached a routing, sampling or loss op
  TENON_FAILURE_NO_PAGE = 3, ///< a token's position has no cache page
  TENON_FAILURE_ORDER = 4,   ///< a token does not follow the one before it
};

/// Where the first failure of a step is noted. A kernel writes it by an atomic
/// compare-and-swap on `kind` from 0; later failures are dropped.
typedef struct tenon_failure {
  int32_t kind;     ///< TENON_FAILURE_*
  int32_t location; ///< index into the kernel's table of source locations
  int64_t row;      ///< the row (token) it happened at
  int64_t value;    ///< the offending value (index), 0 for NaN
} tenon_failure;

/// The arguments of a launch, shared by all of its tiles.
typedef struct tenon_frame {
  void *const *buffers;   ///< operands, then results, in the kernel's order
  const int64_t *dims;    ///< the kernel's symbol values, in its order
  void *scratch;          ///< this worker's scratch, 64-byte aligned
  tenon_failure *failure; ///< one word for the whole step
} tenon_frame;

typedef void (*tenon_kernel_fn)(const tenon_frame *frame, uint32_t tile);

#ifdef __cplusplus
} // extern "C"
#endif
#endif // TENON_ABI_H
