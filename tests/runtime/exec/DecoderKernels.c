/*===- DecoderKernels.c - A decoder small enough to predict ---------------===*/

#include "tests/runtime/exec/DecoderKernels.h"

static void fail(tenon_failure *failure, int32_t kind, int64_t row,
                 int64_t value) {
  int32_t none = TENON_FAILURE_NONE;
  if (!__atomic_compare_exchange_n(&failure->kind, &none, kind, 0,
                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return;
  failure->location = 0;
  failure->row = row;
  failure->value = value;
}

/* Where the cache keeps a position of a sequence; -1 where there is no page. */
static int64_t place(const int32_t *pages, int64_t perSequence,
                     int64_t pageTokens, int64_t sequence, int64_t position) {
  int64_t page = pages[sequence * perSequence + position / pageTokens];
  return page < 0 ? -1 : page * pageTokens + position % pageTokens;
}

void append_tokens(const tenon_frame *frame, uint32_t tile) {
  const int32_t *tokens = frame->buffers[0], *sequence = frame->buffers[1];
  const int32_t *position = frame->buffers[2], *pages = frame->buffers[3];
  int32_t *cache = frame->buffers[4];
  int64_t at = place(pages, frame->dims[1], frame->dims[2] * TENON_CACHE_BLOCK,
                     sequence[tile], position[tile]);
  if (at < 0) {
    fail(frame->failure, TENON_FAILURE_NO_PAGE, tile, position[tile]);
    return;
  }
  cache[at] = tokens[tile];
}

void next_logits(const tenon_frame *frame, uint32_t tile) {
  const int32_t *sequence = frame->buffers[0], *position = frame->buffers[1];
  const int32_t *pages = frame->buffers[2], *rows = frame->buffers[3];
  const int32_t *cache = frame->buffers[4];
  float *logits = (float *)frame->buffers[5] + tile * frame->dims[2];
  int64_t row = rows[tile], sum = 0;
  for (int64_t i = 0; i <= position[row]; ++i)
    sum += (i + 1) *
           cache[place(pages, frame->dims[0],
                       frame->dims[1] * TENON_CACHE_BLOCK, sequence[row], i)];
  for (int64_t v = 0; v < frame->dims[2]; ++v)
    logits[v] = v == sum % frame->dims[2] ? 1.0f : 0.0f;
}

void token_states(const tenon_frame *frame, uint32_t tile) {
  const int32_t *sequence = frame->buffers[0], *position = frame->buffers[1];
  const int32_t *pages = frame->buffers[2], *cache = frame->buffers[3];
  float *states = (float *)frame->buffers[4] + tile * 2;
  int64_t sum = 0;
  for (int64_t i = 0; i <= position[tile]; ++i) {
    int32_t token =
        cache[place(pages, frame->dims[0], frame->dims[1] * TENON_CACHE_BLOCK,
                    sequence[tile], i)];
    sum += (i + 1) * token;
    if (i == 0)
      states[1] = (float)token;
  }
  states[0] = (float)sum;
}

void draft_logits(const tenon_frame *frame, uint32_t tile) {
  const int32_t *sequence = frame->buffers[0], *position = frame->buffers[1];
  const int32_t *pages = frame->buffers[2], *rows = frame->buffers[3];
  const int32_t *cache = frame->buffers[4];
  int64_t row = rows[tile], width = frame->dims[2], token = 0;
  const float *state = (const float *)frame->buffers[5] + row * 2;
  float *logits = (float *)frame->buffers[6] + tile * width;
  float *own = (float *)frame->buffers[7] + tile * 2;
  int64_t known = (int64_t)state[1];
  for (int64_t i = 0; i <= position[row]; ++i) {
    token = cache[place(pages, frame->dims[0],
                        frame->dims[1] * TENON_CACHE_BLOCK, sequence[row], i)];
    known += (i + 2) * token;
  }
  int64_t sum = (int64_t)state[0] + (position[row] + 2) * token;
  int64_t next = (sum + (sum / width % 4 == 3)) % width;
  for (int64_t v = 0; v < width; ++v)
    logits[v] = v == (known == sum ? next : (next + 2) % width) ? 1.0f : 0.0f;
  own[0] = (float)sum;
  own[1] = state[1];
}

void sample_likeliest(const tenon_frame *frame, uint32_t tile) {
  const float *logits =
      (const float *)frame->buffers[0] + tile * frame->dims[0];
  int32_t best = 0;
  for (int32_t v = 0; v < frame->dims[0]; ++v)
    best = logits[v] > logits[best] ? v : best;
  ((int32_t *)frame->buffers[1])[tile] = best;
}
