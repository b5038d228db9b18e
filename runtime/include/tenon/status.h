/*===- tenon/status.h - How every call of the C API reports failure -------===//
 *
 * A call returns a tenon_status_t. NULL is success and costs nothing; anything
 * else carries a code and a message and belongs to the caller.
 *
 *   tenon_status_t status = tenon_device_open("cpu", &device);
 *   if (status) {
 *     fprintf(stderr, "%s\n", tenon_status_message(status));
 *     tenon_status_free(status);
 *   }
 *===----------------------------------------------------------------------===*/

#ifndef TENON_STATUS_H
#define TENON_STATUS_H

#if defined(__GNUC__) || defined(__clang__)
#define TENON_API __attribute__((visibility("default")))
#define TENON_CHECKED __attribute__((warn_unused_result))
#else
#define TENON_API
#define TENON_CHECKED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers are part of the ABI: add at the end, never renumber. */
typedef enum tenon_status_code_t {
  TENON_OK = 0,
  TENON_INVALID_ARGUMENT = 1,
  TENON_NOT_FOUND = 2,
  TENON_UNAVAILABLE = 3, /* busy or offline; a retry may succeed */
  TENON_OUT_OF_RANGE = 4,
  TENON_RESOURCE_EXHAUSTED = 5, /* memory, or a stated limit */
  TENON_DATA_LOSS = 6,          /* a file is corrupt or cut short */
  TENON_UNIMPLEMENTED = 7,
  TENON_INTERNAL = 8, /* a defect of Tenon */
  TENON_CANCELLED = 9
} tenon_status_code_t;

typedef struct tenon_status *tenon_status_t;

/* Returns the code; TENON_OK for NULL. Threads: any. */
TENON_API tenon_status_code_t tenon_status_code(tenon_status_t status);

/* Returns the message, NUL-terminated; "" for NULL. It lives as long as the
 * status does. Threads: any. */
TENON_API const char *tenon_status_message(tenon_status_t status);

/* Returns "OK", "INVALID_ARGUMENT", ... for a code. Threads: any. */
TENON_API const char *tenon_status_code_name(tenon_status_code_t code);

/* Frees a status; NULL is ignored. */
TENON_API void tenon_status_free(tenon_status_t status);

#ifdef __cplusplus
}
#endif

#endif /* TENON_STATUS_H */
