/*===- tenon/program.h - Compiled programs --------------------------------===//
 *
 *   tenon_program_t *program;
 *   tenon_status_t status = tenon_program_open("gemma.tenon", &program);
 *===----------------------------------------------------------------------===*/

#ifndef TENON_PROGRAM_H
#define TENON_PROGRAM_H

#include "tenon/status.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Immutable; sessions share it. */
typedef struct tenon_program tenon_program_t;

/* Maps a .tenon file, verifies it, and loads its code for this processor.
 * Running a .tenon file is running a program: open only files you trust.
 *
 * Owns:    on success the caller owns one reference to `*out_program`; on
 *          failure it is NULL.
 * Threads: any.
 * Errors:  NOT_FOUND (no such file), DATA_LOSS (damaged), UNIMPLEMENTED
 *          (another major version), UNAVAILABLE (no code for this processor).
 */
TENON_API TENON_CHECKED tenon_status_t
tenon_program_open(const char *path, tenon_program_t **out_program);

/* Returns how many entries can be called. Threads: any. */
TENON_API size_t tenon_program_entry_count(const tenon_program_t *program);

/* Returns the name of an entry, NULL beyond the last. It lives as long as the
 * program does. Threads: any. */
TENON_API const char *tenon_program_entry_name(const tenon_program_t *program,
                                               size_t entry);

/* Returns the provenance stored under `key`, NULL where there is none. It
 * lives as long as the program does. Threads: any. */
TENON_API const char *tenon_program_metadata(const tenon_program_t *program,
                                             const char *key);

/* Adds one reference. Threads: any. */
TENON_API void tenon_program_retain(tenon_program_t *program);

/* Drops one reference; NULL is ignored. Threads: any. */
TENON_API void tenon_program_release(tenon_program_t *program);

#ifdef __cplusplus
}
#endif

#endif /* TENON_PROGRAM_H */
