/*===- DecoderKernels.h - A decoder small enough to predict ---------------===//
 *
 * The next token after t0 .. tn is (sum of ti * (i + 1)) mod V, read from a
 * paged cache that holds the tokens themselves. Linked into the test, and
 * built as a shared object for the tests of loading one.
 *===----------------------------------------------------------------------===*/

#ifndef TENON_TESTS_RUNTIME_EXEC_DECODERKERNELS_H
#define TENON_TESTS_RUNTIME_EXEC_DECODERKERNELS_H

#include "tenon/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* buffers: tokens, sequence, position, pages, cache; dims: T, P, pageBlocks */
void append_tokens(const tenon_frame *frame, uint32_t tile);

/* buffers: sequence, position, pages, rows, cache, logits;
 * dims: P, pageBlocks, V */
void next_logits(const tenon_frame *frame, uint32_t tile);

/* buffers: logits, token; dims: V */
void sample_likeliest(const tenon_frame *frame, uint32_t tile);

/* What drafts are made of: the sum so far, and the first token.
 * buffers: sequence, position, pages, cache, states [T, 2];
 * dims: P, pageBlocks */
void token_states(const tenon_frame *frame, uint32_t tile);

/* A draft is the next token, but one more where the sum / V leaves 3 divided by
 * 4; and two more where the cache of the tokens after each is not what it
 * should be.
 * buffers: sequence, position, pages, rows, cache, states [T, 2], logits, own
 * states [R, 2]; dims: P, pageBlocks, V */
void draft_logits(const tenon_frame *frame, uint32_t tile);

#ifdef __cplusplus
}
#endif

#endif
