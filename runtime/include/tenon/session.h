/*===- tenon/session.h - Memory for a program, and calls to it ------------===//
 *
 * A session holds a program's weights, caches and temporaries, all placed when
 * it opens: a call allocates nothing.
 *
 *   tenon_session_options_t options = TENON_SESSION_OPTIONS_INIT;
 *   options.context_tokens = 2048;
 *   tenon_session_t *session;
 *   tenon_status_t status = tenon_session_open(program, &options, &session);
 *===----------------------------------------------------------------------===*/

#ifndef TENON_SESSION_H
#define TENON_SESSION_H

#include "tenon/device.h"
#include "tenon/program.h"
#include "tenon/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_session tenon_session_t;

/* The numbers are part of the ABI and those of stored programs. */
typedef enum tenon_element_t {
  TENON_F32 = 0,
  TENON_F16 = 1,
  TENON_BF16 = 2,
  TENON_F64 = 3,
  TENON_I8 = 4,
  TENON_U8 = 5,
  TENON_I16 = 6,
  TENON_I32 = 7,
  TENON_I64 = 8,
  TENON_BOOL = 9
} tenon_element_t;

/* Dense, outermost axis first. Borrowed for the length of a call; the data of
 * arguments is not written. */
typedef struct tenon_tensor_t {
  void *data;
  int32_t element; /* a tenon_element_t, which a caller may get wrong */
  const int64_t *shape;
  size_t rank;
} tenon_tensor_t;

/* The most a symbolic dimension of the program is to be in this session. */
typedef struct tenon_limit_t {
  const char *symbol;
  int64_t most;
} tenon_limit_t;

/* Zero stands for the default of every field but the first. */
typedef struct tenon_session_options_t {
  size_t size_bytes; /* of this struct, as the caller was compiled with it */
  tenon_device_t *device;   /* NULL: a CPU device of the session's own */
  const char *weights_path; /* NULL: embedded, or the file the program names */
  int64_t context_tokens;   /* of a sequence; 0: at most 4096 */
  int64_t sequences;        /* that run together; 0: 1 */
  int64_t chunk_tokens;     /* of a prompt, computed at once; 0: 512 */
  int64_t page_blocks;      /* blocks of 64 keys in a cache page; 0: 4 */
  const tenon_limit_t *limits; /* of other symbols */
  size_t limit_count;
  /* Tokens that a step drafts for a sequence, of programs that can; the text
   * stays the same. 0: none. */
  int64_t drafts;
} tenon_session_options_t;

#define TENON_SESSION_OPTIONS_INIT                                             \
  {sizeof(tenon_session_options_t), NULL, NULL, 0, 0, 0, 0, NULL, 0, 0}

/* Opens a session: binds the weights, prepares them, places all memory.
 * `options` may be NULL.
 *
 * Owns:    on success the caller owns `*out_session`, which keeps the program
 *          and the device; on failure it is NULL.
 * Threads: any.
 * Errors:  INVALID_ARGUMENT (limits; a weight of another type or shape),
 *          NOT_FOUND (a weight, the weights file), DATA_LOSS (damaged weights;
 *          not those the program was compiled for), RESOURCE_EXHAUSTED. */
TENON_API TENON_CHECKED tenon_status_t tenon_session_open(
    tenon_program_t *program, const tenon_session_options_t *options,
    tenon_session_t **out_session);

/* Closes a session; NULL is ignored. Threads: not during a call. */
TENON_API void tenon_session_close(tenon_session_t *session);

/* Calls an entry. The results' memory is the caller's, of the exact shapes.
 *
 * Threads: one call of a session at a time.
 * Errors:  INVALID_ARGUMENT (an argument; names axis, expected and got),
 *          NOT_FOUND (the entry), OUT_OF_RANGE (an index or NaN in a kernel;
 *          names op and row), RESOURCE_EXHAUSTED (cache pages), CANCELLED. */
TENON_API TENON_CHECKED tenon_status_t
tenon_session_call(tenon_session_t *session, const char *entry,
                   const tenon_tensor_t *arguments, size_t argument_count,
                   const tenon_tensor_t *results, size_t result_count);

/* Makes the call in progress, and all later ones, fail with CANCELLED until
 * tenon_session_resume. Threads: any. */
TENON_API void tenon_session_cancel(tenon_session_t *session);
TENON_API void tenon_session_resume(tenon_session_t *session);

/* What the session holds. The peak is their sum: it grows no further. */
typedef struct tenon_session_stats_t {
  size_t size_bytes;      /* of this struct; set by the caller */
  int64_t arena_bytes;    /* temporaries */
  int64_t prepared_bytes; /* weights as the kernels read them */
  int64_t state_bytes;    /* caches */
  int64_t scratch_bytes;  /* of all workers */
  int64_t launches_of_last_call;
} tenon_session_stats_t;

/* Fills `stats` up to its size_bytes. Threads: not during a call. */
TENON_API void tenon_session_get_stats(const tenon_session_t *session,
                                       tenon_session_stats_t *stats);

/* Starts to collect an event for every kernel launch, dropping earlier ones.
 * Threads: not during a call. */
TENON_API void tenon_session_trace_start(tenon_session_t *session);

/* Stops collecting and writes the events as JSON that Perfetto opens.
 *
 * Threads: not during a call.
 * Errors:  UNAVAILABLE (cannot write), INVALID_ARGUMENT (not started). */
TENON_API TENON_CHECKED tenon_status_t
tenon_session_trace_write(tenon_session_t *session, const char *path);

#ifdef __cplusplus
}
#endif

#endif /* TENON_SESSION_H */
