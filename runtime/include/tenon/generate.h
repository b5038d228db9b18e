/*===- tenon/generate.h - Text from decoder models ------------------------===//
 *
 *   static int print(void *user, const char *text, size_t size_bytes) {
 *     fwrite(text, 1, size_bytes, stdout);
 *     return 0;
 *   }
 *   ...
 *   tenon_generate_options_t options = TENON_GENERATE_OPTIONS_INIT;
 *   status = tenon_session_generate(session, "Why is the sky blue?", &options,
 *                                   print, NULL, NULL);
 *===----------------------------------------------------------------------===*/

#ifndef TENON_GENERATE_H
#define TENON_GENERATE_H

#include "tenon/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Takes UTF-8 text, never half a character and not NUL-terminated; returns 0
 * to go on, anything else to stop. Called on the thread that generates. */
typedef int (*tenon_text_fn)(void *user, const char *text, size_t size_bytes);

typedef struct tenon_generate_options_t {
  size_t size_bytes;  /* of this struct, as the caller was compiled with it */
  int64_t max_tokens; /* 0: until the model or the context ends */
  float temperature;  /* 0: always the likeliest token */
  int32_t top_k;      /* 0: off */
  float top_p;        /* 1: off */
  float min_p;        /* 0: off */
  int64_t seed;
} tenon_generate_options_t;

#define TENON_GENERATE_OPTIONS_INIT                                            \
  {sizeof(tenon_generate_options_t), 0, 0.0f, 0, 1.0f, 0.0f, 0}

typedef enum tenon_finish_t {
  TENON_FINISH_MAX_TOKENS = 0,
  TENON_FINISH_STOP_TOKEN = 1,
  TENON_FINISH_CALLBACK = 2,
  TENON_FINISH_CONTEXT = 3 /* the context is full */
} tenon_finish_t;

typedef struct tenon_generate_stats_t {
  size_t size_bytes; /* of this struct; set by the caller */
  tenon_finish_t finish;
  int64_t prompt_tokens; /* computed: without what the cache still held */
  int64_t cached_tokens;
  int64_t prompt_ns;
  int64_t tokens;        /* given out */
  int64_t decode_tokens; /* computed and kept; without the prompt */
  int64_t decode_ns;     /* with sampling */
  int64_t drafted_tokens, accepted_tokens; /* accepted: of those, kept */
} tenon_generate_stats_t;

/* Continues `prompt` as it stands. What a prompt has in common with the one
 * before is not computed again. `options` and `out_stats` may be NULL.
 *
 * Threads: one call of a session at a time.
 * Errors:  NOT_FOUND (no tokenizer), INVALID_ARGUMENT (not UTF-8; a prompt
 *          longer than the context), those of tenon_session_call. */
TENON_API TENON_CHECKED tenon_status_t tenon_session_generate(
    tenon_session_t *session, const char *prompt,
    const tenon_generate_options_t *options, tenon_text_fn on_text, void *user,
    tenon_generate_stats_t *out_stats);

typedef enum tenon_role_t {
  TENON_ROLE_SYSTEM = 0,
  TENON_ROLE_USER = 1,
  TENON_ROLE_ASSISTANT = 2
} tenon_role_t;

typedef struct tenon_message_t {
  tenon_role_t role;
  const char *content; /* cannot forge the template's control tokens */
} tenon_message_t;

/* Answers a conversation, given whole at each call, in the model's own chat
 * template.
 *
 * Threads, Errors: as tenon_session_generate; UNIMPLEMENTED (a template Tenon
 *          does not know), INVALID_ARGUMENT (an order of roles the template
 *          does not allow). */
TENON_API TENON_CHECKED tenon_status_t tenon_session_chat(
    tenon_session_t *session, const tenon_message_t *messages,
    size_t message_count, const tenon_generate_options_t *options,
    tenon_text_fn on_text, void *user, tenon_generate_stats_t *out_stats);

/* Encodes text, with the first token the model asks for. Writes at most
 * `capacity` ids and sets `*out_count` to how many there are.
 *
 * Threads: any.
 * Errors:  NOT_FOUND (no tokenizer), INVALID_ARGUMENT (not UTF-8). */
TENON_API TENON_CHECKED tenon_status_t
tenon_session_tokenize(const tenon_session_t *session, const char *text,
                       int32_t *ids, size_t capacity, size_t *out_count);

#ifdef __cplusplus
}
#endif

#endif /* TENON_GENERATE_H */
