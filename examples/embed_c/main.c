/*===- main.c - Streams a model's text from C11 ---------------------------===
 *
 *   embed_c model.tenon "The sky is blue because" [weights]
 *
 * Everything a program needs to embed Tenon: no compiler, no Python, one
 * shared library.
 *===----------------------------------------------------------------------===*/

#include "tenon/generate.h"

#include <stdio.h>

static int print_text(void *user, const char *text, size_t size_bytes) {
  (void)user;
  fwrite(text, 1, size_bytes, stdout);
  fflush(stdout);
  return 0; /* anything else would stop */
}

/* Prints and frees a failure; returns whether there was none. */
static int succeeded(const char *what, tenon_status_t status) {
  if (!status)
    return 1;
  fprintf(stderr, "%s: %s: %s\n", what,
          tenon_status_code_name(tenon_status_code(status)),
          tenon_status_message(status));
  tenon_status_free(status);
  return 0;
}

static int continue_text(tenon_session_t *session, const char *prompt) {
  tenon_generate_options_t options = TENON_GENERATE_OPTIONS_INIT;
  options.max_tokens = 200;
  tenon_generate_stats_t stats;
  stats.size_bytes = sizeof(stats);
  printf("%s", prompt);
  if (!succeeded("continue", tenon_session_generate(session, prompt, &options,
                                                    print_text, NULL, &stats)))
    return 1;
  printf("\n\n%lld tokens", (long long)stats.tokens);
  if (stats.decode_ns > 0)
    printf(", %.1f a second",
           1e9 * (double)stats.decode_tokens / (double)stats.decode_ns);
  printf("\n");
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: %s model.tenon prompt [weights]\n", argv[0]);
    return 2;
  }
  tenon_program_t *program;
  if (!succeeded(argv[1], tenon_program_open(argv[1], &program)))
    return 1;
  tenon_session_options_t options = TENON_SESSION_OPTIONS_INIT;
  options.weights_path = argc > 3 ? argv[3] : NULL;
  tenon_session_t *session;
  int opened = succeeded("open session",
                         tenon_session_open(program, &options, &session));
  tenon_program_release(program); /* the session keeps it */
  if (!opened)
    return 1;
  int result = continue_text(session, argv[2]);
  tenon_session_close(session);
  return result;
}
